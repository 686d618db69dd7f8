import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import papermill
import pytest

from anomalylib.errors import UserError
from study.book import execute as run
from study.book.execute import execute, run_stages
from study.book.notebooks import Task
from study.runs.workers import RETRIES, WorkerKilled


class Inline:
    """Runs at once, in this process."""

    width = 1

    def submit(self, call, *arguments):
        future = Future()
        try:
            future.set_result(call(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder of notebooks in place of the study's."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(run, "SOURCES", folder)

    def write(name, *cells):
        code = [
            {"cell_type": "code", "metadata": {}, "source": source, "id": f"c{i}"}
            | {"outputs": [], "execution_count": None}
            for i, source in enumerate(cells)
        ]
        code[0]["metadata"]["tags"] = ["parameters"]
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book = {
            "cells": code,
            "metadata": {"kernelspec": spec, "language_info": {"name": "python"}},
        }
        (folder / f"{name}.ipynb").write_text(
            json.dumps(book | {"nbformat": 4, "nbformat_minor": 5})
        )

    return write


def task_in(tmp_path, notebook, **changes):
    task = Task(notebook, "bolt", {"x": 2}, tmp_path / "out" / f"{notebook}.ipynb", "key", notebook)
    return replace(task, **changes)


def test_a_notebook_is_executed_once_and_then_fresh(sources, tmp_path):
    sources("good", "x = 1", "print(x * 21)")
    task = task_in(tmp_path, "good")
    assert task.stale
    assert run_stages([[task]], Inline()) == [task.page]
    assert "42" in task.output.read_text()
    assert not task.partial.exists()
    assert run_stages([[task]], Inline()) == []
    sources("good", "x = 1", "1 / 0")
    assert execute(task) is None  # asked for again where an answer was lost
    assert replace(task, key="other").stale
    assert replace(task, makes=tmp_path / "missing.json").stale


def test_a_failing_notebook_is_named_with_its_cell_and_left_to_look_at(sources, tmp_path):
    sources("bad", "x = 1", "print('so far')", "1 / 0", "print('never')")
    task = task_in(tmp_path, "bad")
    with pytest.raises(UserError, match=r"notebook bad \(bolt\) failed in cell 4: ZeroDivision"):
        run_stages([[task]], Inline())
    assert "so far" in task.partial.read_text()
    assert not task.output.exists() and task.stale


def test_a_killed_kernel_is_done_again_and_nothing_half_written_is_read(sources, tmp_path):
    sources("killed", "x = 1", "import os, signal", "os.kill(os.getpid(), signal.SIGKILL)")
    task = task_in(tmp_path, "killed")
    with pytest.raises(WorkerKilled):
        execute(task)
    assert not task.output.exists() and task.stale
    sources("killed", "x = 1", "print('whole')")
    assert run_stages([[task]], Inline()) == [task.page]
    assert not task.stale


def test_a_notebook_that_kills_every_worker_is_named_and_the_others_finish(tmp_path, monkeypatch):
    tried = []

    def killed(task):
        tried.append(task.notebook)
        if task.notebook == "killer":
            raise WorkerKilled

    monkeypatch.setattr(run, "execute", killed)
    stage = [task_in(tmp_path, "killer"), task_in(tmp_path, "good")]
    with pytest.raises(
        UserError, match=r"^notebook killer \(bolt\): its worker was killed 4 times"
    ):
        run_stages([stage], Inline())
    assert tried == ["killer", "good", *["killer"] * RETRIES]


def test_an_error_around_a_notebook_is_one_line(tmp_path, monkeypatch):
    def wrong(task):
        raise OSError("no space left\non device")

    monkeypatch.setattr(run, "execute", wrong)
    stage = [task_in(tmp_path, "good"), task_in(tmp_path, "other")]
    with pytest.raises(UserError, match=r"^notebook good \(bolt\): no space left \(and 1 more\)$"):
        run_stages([stage], Inline())


@pytest.mark.parametrize(("failures", "done"), [(1, True), (2, False)])
def test_a_kernel_that_never_started_gets_a_second_chance(
    sources, tmp_path, monkeypatch, failures, done
):
    sources("good", "x = 1")
    real, calls = papermill.execute_notebook, []

    def late(*arguments, **options):
        calls.append(arguments)
        if len(calls) <= failures:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return real(*arguments, **options)

    monkeypatch.setattr(papermill, "execute_notebook", late)
    task = task_in(tmp_path, "good")
    failure = execute(task)
    assert len(calls) == 2 and task.output.exists() == done
    assert failure is None if done else "did not finish: Kernel didn't respond" in failure


def test_a_run_cut_short_does_not_leave_its_result_to_an_earlier_one(sources, tmp_path):
    result = tmp_path / "result.json"
    save = f"open({str(result)!r}, 'w').write(str(x))"
    sources("model", "x = 1", save, "1 / (x - 3)")
    first = task_in(tmp_path, "model", makes=result)
    assert run_stages([[first]], Inline()) == [first.page]
    assert not first.stale and result.read_text() == "2"
    other = replace(first, key="other", parameters={"x": 3})  # fails once it has saved
    assert "ZeroDivisionError" in execute(other)
    assert result.read_text() == "3"
    assert first.stale  # although its parameters are as before
    assert run_stages([[first]], Inline()) == [first.page]
    assert result.read_text() == "2"


def test_an_interrupt_cancels_what_still_waits(sources, tmp_path):
    sources("good", "x = 1")
    stopped, waiting = Future(), Future()
    stopped.set_exception(KeyboardInterrupt())
    futures = iter([stopped, waiting])

    class Waiting:
        width = 2

        def submit(self, call, *arguments):
            return next(futures)

    tasks = [task_in(tmp_path, "good"), task_in(tmp_path, "good", subject="nut")]
    with pytest.raises(KeyboardInterrupt):
        run_stages([tasks], Waiting())
    assert waiting.cancelled()


def test_later_stages_wait_for_earlier_ones(sources, tmp_path):
    sources("bad", "x = 1", "1 / 0")
    sources("good", "x = 1")
    later = task_in(tmp_path, "good")
    with pytest.raises(UserError):
        run_stages([[task_in(tmp_path, "bad")], [later]], Inline())
    assert not later.output.exists()


def test_two_runs_at_once_execute_a_notebook_once(sources, tmp_path):
    begun = tmp_path / "begun"
    sources("good", "x = 1", f"open({str(begun)!r}, 'a').write('begun\\n')")
    task = task_in(tmp_path, "good")
    with ThreadPoolExecutor(2) as both:
        assert list(both.map(execute, [task, task])) == [None, None]
    assert begun.read_text() == "begun\n"
    assert not task.stale and not task.partial.exists()


def test_a_notebook_damaged_from_outside_is_stale(sources, tmp_path):
    sources("good", "x = 1")
    task = task_in(tmp_path, "good")
    assert execute(task) is None and not task.stale
    for damage in ("", "[]", '{"metadata": 1}', task.output.read_text()[:50]):
        task.output.write_text(damage)
        assert task.stale

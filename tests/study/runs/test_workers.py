import contextlib
import importlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from distributed import Client
from tqdm import tqdm

from anomalylib.errors import UserError
from study.checkout import ROOT
from study.runs import workers as engine
from study.runs.workers import Processes, complete, workers


def noted(folder, name, kills=0, seconds=0.0):
    """Note process and time, and kill the process at the first starts."""
    begun = time.time()
    with (folder / name).open("a") as file:
        file.write("begun\n")
    if starts(folder, name) <= kills:
        time.sleep(0.5)  # until the answer of the task before has come home
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(seconds)
    return os.getpid(), begun, time.time()


def met(folder):
    """Wait until another process is here too: both have imported what they need."""
    (folder / f"{os.getpid()}.here").touch()
    late = time.time() + 60
    while len(list(folder.glob("*.here"))) < 2 and time.time() < late:
        time.sleep(0.05)


def counted_in_bars():
    """Draw two progress bars, one that was told to draw."""
    for bar in (tqdm(range(3)), tqdm(range(3), disable=False)):
        for _ in bar:
            pass
    return 3


def starts(folder, name):
    return len((folder / name).read_text().splitlines())


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of a scheduler with two workers of two threads."""
    folder = tmp_path_factory.mktemp("dask")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DASK_TEMPORARY_DIRECTORY": str(folder),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    }

    def start(*words):
        command = [Path(sys.executable).with_name("dask"), *words, "--no-dashboard"]
        with (folder / f"{words[0]}.log").open("w") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)

    file = folder / "scheduler.json"
    own = ("--host", "127.0.0.1", "--scheduler-file", file, "--dashboard-address", "127.0.0.1:0")
    scheduler = start("scheduler", "--port", "0", *own)
    crew = start("worker", "--nworkers", "2", "--nthreads", "2", "--memory-limit", "0", *own)
    try:
        while not file.is_file() or not file.read_text().endswith("}"):
            assert scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in (crew, scheduler):
            process.terminate()
            process.wait(20)


@pytest.fixture(params=["processes", "cluster"])
def executor(request, monkeypatch):
    if request.param == "processes":
        monkeypatch.setattr(engine, "RETRIES", 1)  # the scheduler has its own: 1 too
    scheduler = ""
    if request.param == "cluster":
        scheduler = all_there(request.getfixturevalue("address"))
    with workers(2, scheduler) as executor:
        yield executor


def all_there(address):
    """Wait until workers that were killed are back."""
    with Client(address) as client:
        client.wait_for_workers(2, timeout=60)
    return address


def test_only_the_task_whose_worker_was_killed_is_done_again(executor, tmp_path):
    names = {"done": (), "slow": (0, 1.5), "once": (1,), "last": ()}
    tasks = [(tmp_path, name, *more) for name, more in names.items()]
    ended = {number: error for number, _, error in complete(noted, tasks, executor)}
    assert ended == dict.fromkeys(range(len(tasks)))
    assert [starts(tmp_path, name) for name in names] == [1, 1, 2, 1]


# Alone: Dask counts the death of a worker against every task that waits there.
def test_a_task_that_kills_every_worker_is_given_up(executor, tmp_path):
    ((_, _, error),) = complete(noted, [(tmp_path, "always", 9)], executor)
    assert starts(tmp_path, "always") == 2
    assert re.match(r"its worker was killed 2 times, .* run again with fewer JOBS", str(error))


def test_a_notebook_is_finished_though_its_kernel_and_then_its_worker_is_killed(
    tmp_path, monkeypatch
):
    from study.book.execute import run_stages
    from study.book.notebooks import Task

    def notebook(name, *lines):
        first = f"open({str(tmp_path / name)!r}, 'a').write('begun\\n')"
        cells = [("x = 1", {"tags": ["parameters"]}), ("\n".join([first, *lines]), {})]
        book = {
            "cells": [
                {"cell_type": "code", "id": f"c{i}", "source": source, "metadata": metadata}
                | {"outputs": [], "execution_count": None}
                for i, (source, metadata) in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "3", "language": "python"}
            },
        }
        path = tmp_path / f"{name}.ipynb"
        path.write_text(json.dumps(book | {"nbformat": 4, "nbformat_minor": 5}))
        output = tmp_path / "out" / f"{name}.ipynb"
        # An absolute name stands for itself, in every process.
        return Task(str(path.with_suffix("")), "bolt", {"x": 2}, output, "key", name)

    begun = f"len(open({str(tmp_path / 'twice')!r}).readlines())"
    kill = f"os.kill({{1: os.getpid(), 2: os.getppid()}}[{begun}], signal.SIGKILL); time.sleep(60)"
    twice = notebook("twice", "import os, signal, time", f"if {begun} < 3: {kill}")
    monkeypatch.setattr(engine, "RETRIES", 2)
    with Processes(1) as executor:
        run_stages([[twice]], executor)
    assert starts(tmp_path, "twice") == 3
    assert not twice.stale


def test_a_worker_of_a_cluster_does_one_task_at_a_time(address, tmp_path):
    with workers(scheduler=all_there(address)) as executor:
        assert (executor.width, executor.threads) == (2, 2)
        for future in [executor.submit(met, tmp_path) for _ in range(2)]:
            future.result()
        # More than it asks for: the second thread of each worker is tempted.
        futures = [executor.submit(noted, tmp_path, "a", 0, 0.2) for _ in range(6)]
        times = sorted(future.result() for future in futures)
    assert len({process for process, _, _ in times}) == 2
    for (one, _, end), (other, begun, _) in itertools.pairwise(times):
        assert one != other or begun >= end
    with workers(1, address) as executor:
        assert executor.width == 1
    assert not list((ROOT / "build").glob("cluster-*"))


def test_an_interrupt_does_not_wait_for_what_is_under_way(tmp_path):
    begun = time.time()
    with pytest.raises(KeyboardInterrupt), Processes(2) as executor:
        next(complete(noted, [(tmp_path, "short"), (tmp_path, "long", 0, 60)], executor))
        raise KeyboardInterrupt
    assert time.time() - begun < 30


def test_more_processes_than_tasks_cost_nothing(tmp_path):
    with Processes(4096) as executor:
        ((_, (process, _, _), error),) = complete(noted, [(tmp_path, "one")], executor)
        assert error is None and process != os.getpid() and executor.threads == 1


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_workers_draw_no_progress_bars(quiet, capfd):
    with workers(1, quiet=quiet) as executor:
        assert executor.submit(counted_in_bars).result() == 3
    assert capfd.readouterr().err.count("3/3") == (0 if quiet else 2)


def test_processes_share_the_cores():
    with workers(1) as one, Processes(engine.cores()) as all_of_them:
        assert one.threads == engine.cores() >= 1
        assert all_of_them.threads == 1


@pytest.mark.parametrize("wrong", ["nonsense", "tcp://127.0.0.1:1", "silent"])
def test_an_address_where_no_scheduler_answers_is_said(wrong, monkeypatch):
    monkeypatch.setattr(engine, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if wrong == "silent":
            wrong = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UserError, match=rf"^no Dask scheduler answers at SCHEDULER={wrong}"):
            workers(scheduler=wrong)


@contextlib.contextmanager
def cluster_here(count, folder):
    """A cheap cluster, in threads of this process."""
    import dask
    from distributed import LocalCluster

    where = {"protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"temporary-directory": str(folder)}),
        LocalCluster(n_workers=count, threads_per_worker=1, processes=False, **where) as cluster,
    ):
        yield cluster


def test_a_cluster_without_workers_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "PATIENCE", 0.3)
    missing = "has no workers: start some with `dask worker tcp://"
    with cluster_here(0, tmp_path) as empty, pytest.raises(UserError, match=missing):
        workers(scheduler=empty.scheduler_address)


def test_a_cluster_that_goes_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "LOOK", 0.2)
    with (
        cluster_here(1, tmp_path) as cluster,
        workers(scheduler=cluster.scheduler_address) as executor,
    ):
        monkeypatch.setattr(executor._client, "_timeout", 0.3)
        tasks = complete(noted, [(tmp_path, "a"), (tmp_path, "b", 0, 1)], executor)
        next(tasks)
        cluster.close(timeout=1)
        with pytest.raises(UserError, match="scheduler has gone"):
            next(tasks)


def test_a_missing_package_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"needs the package distributed: pip install .*cluster"):
        workers(scheduler="tcp://127.0.0.1:1")


def test_a_worker_without_the_environment_is_said(address, monkeypatch, tmp_path):
    (tmp_path / "only_here.py").write_text("def call():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    call = importlib.import_module("only_here").call
    with workers(scheduler=address) as executor:
        ((_, _, error),) = complete(call, [()], executor)
    assert re.search(r"outside the study's environment: No module named 'only_here'", str(error))


def test_a_worker_that_does_not_see_the_study_is_said(tmp_path):
    sign = tmp_path / "build" / "cluster-x"
    for make in (lambda: None, lambda: (sign.parent.mkdir(), sign.touch())):
        make()
        with pytest.raises(UserError, match=f"study in {ROOT}, and that is not {tmp_path} of"):
            engine._on_cluster(str(sign), tmp_path, print)

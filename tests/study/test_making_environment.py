import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from study import environment
from study.checkout import ROOT

SCRIPT = str(ROOT / "study" / "environment.py")


@pytest.fixture
def pip(tmp_path):
    """A folder with a project, and an environment whose pip does what a text says."""

    def make(does):
        folder = tmp_path / "env"
        python = folder / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(f"#!/bin/sh\n{does}\n")
        python.chmod(0o755)
        return folder

    return make


def run(folder, *extra, **variables):
    command = [sys.executable, SCRIPT, folder, *extra]
    options = {"capture_output": True, "text": True, "cwd": folder.parent, "check": False}
    return subprocess.run(command, env=os.environ | variables, **options)


def test_extras_are_installed_on_top_in_two_lines(pip):
    folder = pip('echo Collecting a; echo Collecting b; echo "$@"')
    done = run(folder, "dev")
    assert (done.returncode, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert first.startswith("installing contributors' tools: 0 s, ")
    assert last.startswith("installed contributors' tools in ")
    log = (folder / "setup-dev.log").read_text()
    assert "-m pip install --constraint constraints.txt --editable .[dev]" in log
    assert not (folder / "setup-seconds").exists()  # of the environment itself


def test_a_failure_shows_the_end_of_its_log_and_says_where_it_is(pip):
    folder = pip("for i in $(seq 99); do echo line $i; done; echo ERROR: no such version; exit 1")
    done = run(folder, "dev")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == "ERROR: no such version"
    assert "line 99" in done.stdout and "line 80" not in done.stdout
    log = folder / "setup-dev.log"
    (line,) = done.stderr.splitlines()
    wrong = f"error: installing contributors' tools failed: see {log}"
    assert line == f"{wrong}, mend it and run again"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_what_is_stopped_leaves_nothing_running_and_says_so(pip, stop):
    folder = pip("echo $$; exec sleep 60")
    command = [sys.executable, SCRIPT, folder, "dev"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # In the background, as in continuous integration, a shell lets SIGINT be ignored.
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.readline()
        log = folder / "setup-dev.log"
        while not log.read_text().endswith("\n"):
            time.sleep(0.01)
        process.send_signal(stop)
        _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (1, "stopped; run again to go on from here\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


def test_an_environment_without_its_python_is_one_line(tmp_path):
    done = run(tmp_path / "env", "dev")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "python" in done.stderr and "remove the environment, and run again" in done.stderr


def test_pytorch_comes_from_the_index_that_is_named_and_nothing_else_does(
    pip, monkeypatch, tmp_path
):
    folder = pip('echo "$@ from $PIP_INDEX_URL"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_INDEX", "address")
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    usual, steps = environment._run, []

    def without_venv(command, *rest):
        steps.append(command)
        return 0 if "venv" in command else usual(command, *rest)

    monkeypatch.setattr(environment, "_run", without_venv)
    assert environment.main([str(folder)]) == 0
    assert len(steps) == 3 and (folder / "setup-seconds").read_text().strip().isdigit()
    first, second = (folder / "setup.log").read_text().splitlines()
    assert first.endswith(
        "install --constraint constraints.txt --no-deps torch torchvision from address"
    )
    assert second.endswith("--editable . from ")


def test_on_a_terminal_one_line_is_renewed(pip):
    folder = pip("echo; echo Collecting a; echo Processing ./b.whl; sleep 1.2")
    ours, its = pty.openpty()
    command, narrow = [sys.executable, SCRIPT, folder, "dev"], os.environ | {"COLUMNS": "60"}
    with subprocess.Popen(command, stdout=its, env=narrow):
        os.close(its)
        text = b""
        try:
            while part := os.read(ours, 1000):
                text += part
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    first, *renewed = text.decode().split("\r\x1b[K")
    assert first == "" and len(renewed) >= 3
    *renewed, last = renewed
    assert {len(line) for line in renewed} == {59} and "\n" not in "".join(renewed)
    assert "2 packages" in renewed[-1] and last.endswith("setup-dev.log\r\n")


def test_an_old_python_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(environment, "LEAST", "99.1")
    assert environment.main(["folder"]) == 2
    assert "is too old: Python 99.1 or newer is needed" in capsys.readouterr().err

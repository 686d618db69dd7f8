import os
import pty
import subprocess
import sys

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
    assert first.startswith(f"making packages for contributors in {folder}: ")
    assert last.startswith(f"made packages for contributors in {folder} in ")
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
    wrong = f"error: packages for contributors in {folder} is not complete: see {log}"
    assert line == f"{wrong}, mend it and run again"


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
    assert first.endswith("install --constraint constraints.txt torch torchvision from address")
    assert second.endswith("--editable . from ")


def test_on_a_terminal_one_line_is_renewed(pip):
    folder = pip("sleep 1.2")
    ours, its = pty.openpty()
    with subprocess.Popen([sys.executable, SCRIPT, folder, "dev"], stdout=its, cwd=folder.parent):
        os.close(its)
        text = b""
        try:
            while part := os.read(ours, 1000):
                text += part
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    lines = text.decode().replace("\r\n", "\n").splitlines()
    assert len([line for line in lines if line]) == 1 or text.count(b"\n") == 1
    assert text.count(b"\r\x1b[K") >= 3


def test_an_old_python_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(environment, "LEAST", (99, 1))
    assert environment.main(["folder"]) == 2
    assert "is too old: Python 99.1 or newer is needed" in capsys.readouterr().out

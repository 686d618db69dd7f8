"""Runners ended from outside: nothing that they have begun goes on."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from study.checkout import ROOT

RUNNER = """
import multiprocessing, pathlib, subprocess, sys, time
from study.runs.workers import Processes, complete, stopped_by_signals

def busy(folder, number):
    lock = multiprocessing.RLock()  # which is never given back
    # Like a kernel: a session of its own, and a child in it.
    subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True)
    pathlib.Path(folder, f"{number}.begun").touch()
    time.sleep(600)

if __name__ == "__main__":
    try:
        with stopped_by_signals(), Processes(2) as executor:
            list(complete(busy, [(sys.argv[1], number) for number in (1, 2)], executor))
    except KeyboardInterrupt as stop:
        sys.exit(128 + stop.args[0])
"""
STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
PATIENCE = 60  # for what takes a second on an idle machine


def until(is_so):
    late = time.time() + PATIENCE
    while not is_so():
        assert time.time() < late
        time.sleep(0.05)


def alive(processes):
    """Those that run; what only waits to be waited for does not."""
    found = []
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if each.is_running() and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def unignored():
    """Let a command hear the signals that a shell's background jobs do not."""
    for number in STOPS:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def begun(tmp_path):
    """Begin a runner with two busy workers; gives it, and all that it has begun."""
    script = tmp_path / "runner.py"
    script.write_text(RUNNER)
    started = []

    def begin(*before):
        command = [*before, sys.executable, script, tmp_path]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with (tmp_path / "said.log").open("w") as log:
            own = {"stderr": log, "start_new_session": True, "env": environment}
            own["preexec_fn"] = unignored
            runner = subprocess.Popen(command, **own)
        started.append(psutil.Process(runner.pid))
        until(lambda: len(list(tmp_path.glob("*.begun"))) == 2)
        everything = psutil.Process(runner.pid).children(recursive=True)
        started.extend(everything)
        assert len(everything) >= 6  # two workers, two shells, two sleeps
        return runner, everything

    yield begin
    for process in alive(started):
        process.kill()


@pytest.mark.parametrize("number", [*STOPS, signal.SIGKILL])
def test_a_runner_that_is_ended_takes_with_it_all_that_it_has_begun(begun, number, tmp_path):
    runner, everything = begun()
    runner.send_signal(number)
    assert runner.wait(PATIENCE) == (-number if number == signal.SIGKILL else 128 + number)
    until(lambda: not alive(everything))
    assert (tmp_path / "said.log").read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_workers_that_are_asked_together_with_it_leave_nothing_either(begun, number):
    runner, everything = begun()
    os.killpg(runner.pid, number)
    assert runner.wait(PATIENCE) == 128 + number
    until(lambda: not alive(everything))


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no such request")
@pytest.mark.parametrize("number", [*STOPS, signal.SIGKILL])
def test_a_command_ends_with_the_one_that_waits_for_it(tmp_path, number):
    code = "import subprocess, sys\nfrom study.runs.workers import *\n"
    code += "with stopped_by_signals(): "
    code += "subprocess.run(['sleep', '600'], preexec_fn=end_with_parent)"
    own = {"cwd": ROOT, "stderr": subprocess.DEVNULL, "preexec_fn": unignored}
    runner = subprocess.Popen([sys.executable, "-c", code], **own)
    until(lambda: [each.name() for each in psutil.Process(runner.pid).children()] == ["sleep"])
    below = psutil.Process(runner.pid).children()
    runner.send_signal(number)
    runner.wait(PATIENCE)
    until(lambda: not alive(below))


def test_what_nohup_has_begun_outlives_its_terminal_and_ends_when_asked(begun):
    runner, everything = begun("nohup")
    os.killpg(runner.pid, signal.SIGHUP)
    time.sleep(0.5)
    assert runner.poll() is None and len(alive(everything)) == len(everything)
    runner.terminate()
    assert runner.wait(PATIENCE) == 128 + signal.SIGTERM
    until(lambda: not alive(everything))

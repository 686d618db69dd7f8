"""The runner of the study ended from outside: what it has begun must end with it."""

import contextlib
import signal
import subprocess
import time
from pathlib import Path

import psutil

from tests.faults import common
from tests.faults.common import Setup, Tried
from tests.faults.damage import _ended

EACH, WITHIN = 5, 10.0  # times a signal; seconds in which all must be gone
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
STOPPED = "stopped; run again to go on from here"


def orphans(setup: Setup) -> Tried:
    """SIGTERM, SIGHUP and SIGKILL of the runner of `make notebooks`, alone"""
    study, random = setup.study("orphans"), setup.random("orphans")
    below, left, lost = 0, 0, 0
    for number in SIGNALS * EACH:
        while (process := _with_workers(study)) and _ended(process, random.uniform(0, 15)):
            common.forget(study)
        below += len(_inside(study)) - 1
        process.send_signal(number)
        late = time.monotonic() + WITHIN
        done = common.ended(study, process)
        while _inside(study) and time.monotonic() < late:
            time.sleep(0.1)
        left += len(_inside(study))
        for each in _inside(study):
            print(f"left by {number!r}: {each}", flush=True)
            each.kill()
        killed = number == signal.SIGKILL
        as_meant = done.code == (-number if killed else 128 + number)
        if not as_meant or not (killed or (done.last == STOPPED and not _trace(done))):
            print(f"{number!r} ended it with {done.code}, {done.said[-3:]}", flush=True)
            lost += 1
    again = common.run(study, "book", *common.small())
    lost += left + (again.code != 0) + (not below) + common.differences(study, setup.built)
    said = f"{left} of {below} processes there after {WITHIN:.0f} s; the next run went on"
    return Tried(len(SIGNALS) * EACH, said, lost)


FAULTS = (orphans,)


def _with_workers(study: Path) -> subprocess.Popen:
    """Begin the command, and wait until it has begun a process itself, or has ended."""
    usual = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup lets all below ignore
    process = common.start(study, "notebooks", *common.small())
    signal.signal(signal.SIGHUP, usual)
    while len(_inside(study)) < 2 and not _ended(process, 0.1):
        pass
    return process


def _trace(done: common.Done) -> bool:
    return any("Traceback" in line for line in done.said)


def _inside(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(each.cwd()).is_relative_to(folder):
                found.append(each)
    return found

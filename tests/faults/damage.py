"""Kernels that die, notebooks that raise, interrupts, files damaged from outside."""

import json
import os
import signal
import subprocess

from anomalylib.errors import UserError
from study.book.execute import run_stages
from study.book.notebooks import Task
from study.runs.workers import workers
from tests.faults import common
from tests.faults.common import Setup, Tried
from tests.faults.disks import _notebook

INTERRUPTS = 5
ENDS = {
    "raises": "1 / 0",
    "says what is wrong": "from anomalylib.errors import UserError\nraise UserError('so')",
    "exits": "import os; os._exit(3)",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "crashes": "import ctypes; ctypes.string_at(0)",
}

DAMAGED = (
    "results/metal_nut-*/combined-seed0.json",
    "results/metal_nut-*/patchcore-seed0.npz",
    "results/metal_nut-*/data-seed0.json",
    "notebooks/seed0/metal_nut-*/resnet.ipynb",
    "notebooks/chapters/limits.ipynb",
)
READER = "notebooks/seed0/metal_nut-*/ablation.ipynb"
"""What reads the results."""


def notebooks_that_end_badly(setup: Setup) -> Tried:
    """Notebooks that raise, exit, crash or are killed"""
    folder = setup.folder("ends")
    tasks = []
    cells = {"goes well": "print(1)"} | ENDS | {"goes well too": "print(2)"}
    for name, cell in cells.items():
        path = folder / f"{name}.ipynb"
        note = f"open({str(folder / name)!r}, 'a').write('begun\\n')"
        path.write_text(json.dumps(_notebook("x = 1", f"{note}\n{cell}")))
        output = folder / "out" / path.name
        tasks.append(Task(str(path.with_suffix("")), "x", {"x": 2}, output, "key"))
    said = ""
    with workers(2) as executor:
        try:
            run_stages([tasks], executor)
        except UserError as error:
            said = str(error)
    done = {task.output.stem for task in tasks if not task.stale}
    lost = len({"goes well", "goes well too"} ^ done)
    lost += "\n" in said or f"and {len(ENDS) - 1} more" not in said
    begun = max(len((folder / name).read_text().splitlines()) for name in ENDS)
    again = f"those whose kernel died begun {begun} times"
    return Tried(len(ENDS), f"named in one line, the others finished; {again}", lost)


def interrupts(setup: Setup) -> Tried:
    """Ctrl-C during `make book`"""
    study = setup.study("interrupts")
    random, clear, lost = setup.random("interrupts"), 0, 0
    for _ in range(INTERRUPTS):
        process = common.start(study, "book", *common.small())
        if _ended(process, random.uniform(4, 20)):
            common.forget(study)
            process = common.start(study, "book", *common.small())
            _ended(process, 4)
        os.killpg(process.pid, signal.SIGINT)
        done = common.ended(study, process)
        clear += done.code == 130 and done.last == "stopped; run again to go on from here"
        lost += any("Traceback" in line for line in done.said)
    again = common.run(study, "book", *common.small())
    lost += INTERRUPTS - clear + (again.code != 0) + common.differences(study, setup.built)
    return Tried(INTERRUPTS, f"{clear} ended with one line; the next run went on", lost)


def damaged_files(setup: Setup) -> Tried:
    """Results, maps and executed notebooks cut short, emptied or filled with noise"""
    random, tried, refused, lost = setup.random("damage"), 0, 0, 0
    study = setup.study("damage", whole=True)
    build = next((study / "build").glob("*/results")).parent
    for damage in (lambda b: b[: len(b) // 2], lambda b: b"", lambda b: random.randbytes(999)):
        damaged = [next(build.glob(name)) for name in DAMAGED]
        for path in damaged:
            path.write_bytes(damage(path.read_bytes()))
            tried += 1
        for path in build.glob(READER):
            path.unlink()
        for _ in damaged:
            done = common.run(study, "book", *common.small())
            named = [path for path in damaged if str(path.relative_to(build)) in done.last]
            if done.code == 0 or not named:
                break
            refused += 1
            lost += not done.is_one_line
            named[0].unlink()  # as the line says
            if named[0].suffix == ".npz":
                named[0].with_suffix(".json").unlink()
        lost += (done.code != 0) + common.differences(study, setup.built)
    said = f"{refused} refused in one line that says what to delete, the others done again"
    return Tried(tried, said, lost)


FAULTS = (notebooks_that_end_badly, interrupts, damaged_files)


def _ended(process, seconds: float) -> bool:
    """Whether a command ends by itself within some seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True

"""Disks that are full, or may only be read."""

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from anomalylib.errors import UserError
from tests.faults import common, kills
from tests.faults.common import Setup, Tried

TINY, ROOM = "1m", "200m"
FULL = re.compile(r"the disk is full .* free some space and run again")


def full_while_writing(setup: Setup) -> Tried:
    """A full disk while one file is written: result, features, what was learned, notebook, table"""
    complained, lost, makers = 0, 0, _writers(setup)
    for name, (write, finals) in makers.items():
        folder = setup.folder(f"full-{name}")
        with common.disk(folder, TINY):
            message = _complaint(write, folder)
            complained += bool(FULL.search(message)) and "\n" not in message
            lost += len(list(folder.rglob(finals))) + len(_hidden(folder))
            common.resized(folder, ROOM)
            lost += bool(_complaint(write, folder)) + (not list(folder.rglob(finals)))
    lost += len(makers) - complained
    said = f"{complained} complaints of one line, nothing half-written; finished with room made"
    return Tried(len(makers), said, lost)


def full_while_running(setup: Setup) -> Tried:
    """A full disk under a running `make book`: its build folder, its cache, the site"""
    tried, complained, lost = 0, 0, 0
    for where, command in (("build", "notebooks"), ("data/features", "notebooks")):
        study = setup.study(f"full-{tried}")
        folder = study / where
        kept = {path: path.read_bytes() for path in _files(folder)}
        with common.disk(folder, ROOM):
            for path, content in kept.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            common.resized(folder, f"{_used(folder) + 40}k")
            tried += 1
            good, wrong = _refused_then_done(study, folder, command)
            complained, lost = complained + good, lost + wrong
            if where == "build":  # and then the site, which is larger than what is left
                common.resized(folder, f"{_used(folder) + 1000}k")
                tried += 1
                good, wrong = _refused_then_done(study, folder, "book")
                complained, lost = complained + good, lost + wrong
                lost += common.differences(study, setup.built)
    return Tried(tried, f"{complained} ended with one line; finished with room made", lost)


def data_that_may_only_be_read(setup: Setup) -> Tried:
    """A folder of images on a disk that may only be read"""
    study = setup.study("read-only-data")
    data = study / "data" / "parts"
    before = common.listing(data)
    with common.mounted(data, "--bind", str(data)), _shut(data):
        done = common.run(study, "book", *common.small())
    lost = (done.code != 0) + (common.listing(data) != before)
    lost += common.differences(study, setup.built)
    return Tried(1, "the book is built, and nothing is written there", lost)


def build_that_may_only_be_read(setup: Setup) -> Tried:
    """A build folder and a cache on a disk that may only be read"""
    said, lost = [], 0
    for where in ("build", "data/features"):
        study = setup.study(f"read-only-{len(said)}")
        folder = study / where
        folder.mkdir(exist_ok=True)
        before = common.listing(folder)
        with common.mounted(folder, "--bind", str(folder)), _shut(folder):
            said.append(common.run(study, "notebooks", *common.small()))
        lost += common.listing(folder) != before
    clear = sum(done.is_one_line and "no access (" in done.last for done in said)
    return Tried(len(said), f"{clear} ended with one line", lost + len(said) - clear)


FAULTS = (
    full_while_writing,
    full_while_running,
    data_that_may_only_be_read,
    build_that_may_only_be_read,
)


def _refused_then_done(study: Path, folder: Path, command: str) -> tuple[int, int]:
    """A command on a full disk, and again with room: complaints of one line, what is lost."""
    done = common.run(study, command, *common.small())
    clear = done.is_one_line and bool(FULL.search(done.last))
    half = 0
    for path in [*study.glob("build/*/results/*/*.json"), *study.glob("build/*/**/*.ipynb")]:
        if ".partial" not in path.name:
            half += not _is_json(path)
    half += len(list(study.glob("build/*/book-*/book.built"))) if command == "book" else 0
    common.resized(folder, ROOM)
    again = common.run(study, command, *common.small())
    return int(clear), half + (again.code != 0) + (not clear)


def _is_json(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text()))
    except ValueError:
        return False


def _complaint(write: Callable[[Path], None], folder: Path) -> str:
    """What writing says, empty where it went well."""
    try:
        write(folder)
    except UserError as error:
        return str(error)
    return ""


def _writers(setup: Setup) -> dict[str, tuple[Callable[[Path], None], str]]:
    """What writes more than a tiny disk holds: into a folder, and the names of its files."""
    import pandas as pd
    import torch

    from anomalylib.features import cache
    from anomalylib.files import written_whole
    from anomalylib.images.category import load_category
    from study.book.execute import execute
    from study.book.notebooks import Task
    from study.runs.writing import write_tables
    from study.tables.results import Result

    random = np.random.default_rng(0)
    train = load_category(kills.noise(setup.folder("full-images"), 4), "bolt").train

    def result(folder: Path) -> None:
        said = next((setup.built / "build").glob("*/results/metal_nut-*/combined-seed0.json"))
        maps = random.normal(size=(20, 300, 300))
        Result.model_validate_json(said.read_text()).save(folder, maps)

    def notebook(folder: Path) -> None:
        path = folder.parent / "talkative.ipynb"
        path.write_text(json.dumps(_notebook("x = 1", "print('x' * 3_000_000)")))
        task = Task(str(path.with_suffix("")), "bolt", {"x": 2}, folder / "done.ipynb", "key")
        if said := execute(task):
            raise UserError(said)

    def weights(folder: Path) -> None:
        import safetensors.torch

        with written_whole(folder / "weights.safetensors") as beside:
            safetensors.torch.save_file(large, beside)

    table = pd.DataFrame(random.normal(size=(60_000, 9)))
    large = {"a": torch.zeros(900_000)}
    writers = {
        "features": (lambda folder: cache.pixels_of(train, 640, folder), "*.npy"),
        "learned": (lambda folder: cache.learned("x", lambda: large, folder), "*.safetensors"),
        "weights": (weights, "*.safetensors"),
        "table": (lambda folder: write_tables({"t": table}, folder), "t.csv"),
        "notebook": (notebook, "done.ipynb"),
    }
    return writers if setup.quick else writers | {"result": (result, "*.json")}


def _notebook(*cells: str) -> dict:
    """A notebook of code cells; the first holds its parameters."""
    code = [
        {"cell_type": "code", "id": f"c{i}", "source": source, "outputs": []}
        | {"metadata": {} if i else {"tags": ["parameters"]}, "execution_count": None}
        for i, source in enumerate(cells)
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    about = {"kernelspec": spec, "language_info": {"name": "python"}}
    return {"cells": code, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def _hidden(folder: Path) -> list[Path]:
    """Half-written files, but for the notebook that is left to look at."""
    return [path for path in common.partials(folder) if path.suffix != ".ipynb"]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _used(folder: Path) -> int:
    """Kilobytes that a disk holds."""
    return shutil.disk_usage(folder).used // 1024


def _shut(folder: Path) -> contextlib.AbstractContextManager:
    """Let a bind mount be read only; it ends with the mount."""
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    return contextlib.nullcontext()

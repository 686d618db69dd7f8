"""Killed with signal 9 at random moments."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from anomalylib.files import sha256_of
from tests.faults import common, references
from tests.faults.common import Setup, Tried

KILLS = 20
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["study.runs.experiment"])
"""A process that has read the library once, and starts others that need not."""


def cache_write(setup: Setup) -> Tried:
    """kill -9 while features, pixels and what was learned are written"""
    folder = setup.folder("cache")
    images = noise(folder / "images", 12)
    return _forks(setup, "cache", write_cache, (images,), folder)


def one_run(setup: Setup) -> Tried:
    """kill -9 while a run of the reference results is measured and written"""
    folder = setup.folder("run")
    return _forks(setup, "run", write_run, (setup.drawn,), folder)


def book(setup: Setup) -> Tried:
    """kill -9 of the process group of `make book PROFILE=quick`"""
    words = ["book", "--profile", "quick"]
    calm = common.copied(setup.folder("book-calm") / "study")
    took = common.undisturbed(calm, words)
    study = common.copied(setup.folder("book") / "study")
    command = Command(
        study,
        words,
        limit=took / 7,
        done=lambda: len(list(study.glob("build/*/notebooks/**/[!.]*.ipynb"))),
        unit="notebooks",
        again=lambda: shutil.rmtree(study / "build"),
    )
    return _commands(setup, command, lambda: common.differences(study, calm))


def rendering(setup: Setup) -> Tried:
    """kill -9 of the process group of `make book` while the pages are rendered"""
    study = setup.study("rendering", whole=True)

    def again() -> None:
        for stamp in (study / "build").glob("*/book-*/book.built"):
            stamp.unlink()

    again()
    took = common.undisturbed(study, ["book", *common.small()])
    again()
    command = Command(
        study,
        ["book", *common.small()],
        limit=took,
        done=lambda: len(list(study.glob("build/*/book-*/_build/html/**/*.html"))),
        unit="pages",
        again=again,
    )
    return _commands(setup, command, lambda: common.differences(study, setup.built))


def reference(setup: Setup) -> Tried:
    """kill -9 of the process group of `make reference`"""
    calm = references.undisturbed(setup)
    study = setup.study("reference", whole=True)
    command = Command(
        study,
        references.words(setup, "tables"),
        limit=calm.idle + (calm.took - calm.idle) / 4,
        done=lambda: len(list(study.glob("build/runs/[!.]*.json"))),
        unit="runs",
        again=lambda: shutil.rmtree(study / "build" / "runs"),
    )

    def lost() -> int:
        return references.differences(study / "tables", calm.tables) + len(common.partials(study))

    return _commands(setup, command, lost)


FAULTS = (cache_write, one_run, book, rendering, reference)


class Command(NamedTuple):
    """A command that is killed again and again.

    Parameters
    ----------
    study : Path
        Where it runs.
    words : list of str
    limit : float
        Seconds from its start within which it is killed.
    done : callable
        How much it has done so far, in some unit.
    unit : str
    again : callable
        Makes work for the next time, where it has finished before its kill.
    """

    study: Path
    words: list[str]
    limit: float
    done: Callable[[], int]
    unit: str
    again: Callable[[], None]


def _commands(setup: Setup, command: Command, lost: Callable[[], int]) -> Tried:
    """Kill a command again and again, then let it finish; `lost` counts what is wrong then."""
    random, wrong, at = setup.random(command.study.parent.name), 0, []
    while len(at) < KILLS:
        process = common.start(command.study, *command.words)
        seconds, everything = random.uniform(0, command.limit), len(at) % 2 == 1
        if common.killed_after(process, seconds, everything):
            at.append(command.done())
        else:
            wrong += process.returncode != 0
            command.again()
    done = common.run(command.study, *command.words)
    wrong += (done.code != 0) + (max(at) == 0) + lost()  # kills before any work show nothing
    course = f"with {min(at)} to {max(at)} {command.unit} there"
    return Tried(len(at), f"killed {course}; in the end like an undisturbed run", wrong)


def _forks(
    setup: Setup,
    name: str,
    write: Callable,
    given: tuple,
    folder: Path,
) -> Tried:
    """Kill a process that writes files, again and again, then let it finish."""
    random, killed, wrong = setup.random(name), 0, 0
    _forked(write, *given, folder / "first").join()  # once the library has been read
    begun = time.perf_counter()
    _forked(write, *given, folder / "calm").join()
    took = time.perf_counter() - begun
    calm, torn = folder / "calm", folder / "torn"
    torn.mkdir()
    while killed < KILLS:
        process = _forked(write, *given, torn)
        process.join(random.uniform(0, took))
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        else:
            wrong += process.exitcode != 0
            wrong += _unlike(torn, calm, whole=True)
            for path in torn.iterdir():
                path.unlink()
        process.join()
        wrong += _unlike(torn, calm, whole=False)
    process = _forked(write, *given, torn)
    process.join()
    wrong += (process.exitcode != 0) + _unlike(torn, calm, whole=True)
    wrong += len(common.partials(torn))
    count = len(_finals(calm))
    return Tried(killed, f"{count} files, each absent or whole, then all whole and the same", wrong)


def _forked(write: Callable, *given: object) -> multiprocessing.Process:
    process = FORKS.Process(target=write, args=given)
    process.start()
    return process


def _finals(folder: Path) -> dict[str, str]:
    """Hashes of the files that stand under their final names."""
    left = [p for p in folder.iterdir() if p.suffix != ".lock" and ".partial" not in p.name]
    return {path.name: _content(path) for path in left if path.is_file()}


def _content(path: Path) -> str:
    """What a file says, without the time that it took."""
    if path.suffix != ".json":
        return sha256_of(path)
    said = json.loads(path.read_text())
    said["result"] = {k: v for k, v in said["result"].items() if k not in common.CHANGING}
    return json.dumps(said)


def _unlike(torn: Path, calm: Path, whole: bool) -> int:
    """How many files differ; missing ones count where all must be there."""
    ours, theirs = _finals(torn), _finals(calm)
    missing = len(theirs.keys() - ours.keys()) if whole else 0
    return missing + sum(content != theirs.get(name) for name, content in ours.items())


def noise(folder: Path, count: int) -> Path:
    """A category of noise images."""
    random = np.random.default_rng(0)
    for part in ("train/good", "test/good", "test/dent"):
        (folder / "bolt" / part).mkdir(parents=True)
        for index in range(count):
            pixels = random.integers(0, 256, (48, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "bolt" / part / f"{index:03d}.png")
    return folder


def write_cache(images: Path, folder: Path) -> None:
    """Compute and write what the cache keeps, image by image."""
    import torch

    from anomalylib.features import cache
    from anomalylib.images.category import load_category

    torch.set_num_threads(1)
    cache.PIXELS = 1  # one image a batch

    class Plain:
        image_size, key, device = 48, "plain", torch.device("cpu")

        def __call__(self, batch: np.ndarray) -> torch.Tensor:
            time.sleep(0.005)
            x = torch.from_numpy(batch).permute(0, 3, 1, 2) / 255  # (n, 3, S, S)
            return x.repeat(1, 40, 1, 1)  # (n, 120, S, S)

    train = load_category(images, "bolt").train
    cache.pixels_of(train, 48, folder)
    features = cache.features_of(Plain(), train, folder)

    def learn() -> dict[str, torch.Tensor]:
        time.sleep(0.02)
        return {"bank": torch.from_numpy(features[:]).float().repeat(4, 1, 1, 1)}

    cache.learned("a bank", learn, folder)


def write_run(data: Path, folder: Path) -> None:
    """Measure and write one run, and the pixels that it keeps, all into one folder."""
    from study.runs import measurement
    from study.runs.experiment import Experiment

    measurement.FEATURES = folder
    run = measurement.Run(category="metal_nut", model="autoencoder", changes={"epochs": 1})
    experiment = Experiment(str(data), {}, folder=folder)
    experiment.work(run, experiment.path(run))

"""What all faults share: a copy of the study, commands in it, and what they leave."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import psutil

from anomalylib.files import sha256_of
from study.checkout import ROOT

PARTS = ("anomalylib", "study", "book", "notebooks", "data/reference", "Makefile", "README.md")
COUNTS = {"train": 8, "good": 4, "defect": 1}
QUICK = {"autoencoder.epochs": 1, "combined.epochs": 1, "image_size": 64}
PATIENCE = 20  # seconds in which what was killed must be gone
CHANGING = ("date", "seconds")
"""What differs between two results that are the same."""


class Tried(NamedTuple):
    """What came of a fault.

    Parameters
    ----------
    tried : int
        How many times, or how many variants of it.
    outcome : str
        In words and numbers, all of them measured.
    lost : int
        Results that are missing or wrong, files half-written, complaints
        that are no single line, code that ran: whatever must not be.
    """

    tried: int
    outcome: str
    lost: int


class Skipped(Exception):
    """Why a fault cannot be tried here."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    said: list[str]

    @property
    def is_one_line(self) -> bool:
        """Whether it ended with an error of one line, and without a trace."""
        errors = [line for line in self.said if line.startswith("error: ")]
        trace = any("Traceback" in line for line in self.said)
        return self.code == 2 and self.said[-1:] == errors and len(errors) == 1 and not trace

    @property
    def last(self) -> str:
        """The last line on stderr."""
        return self.said[-1] if self.said else ""


@dataclass(frozen=True)
class Setup:
    """Where faults are tried, and how thoroughly.

    Parameters
    ----------
    scratch : Path
        A folder of their own.
    quick : bool
        A few tries each, as for the tests.
    seed : int
        Of all random moments.
    """

    scratch: Path
    quick: bool = False
    seed: int = 0

    def folder(self, name: str) -> Path:
        """A new, empty folder."""
        path = self.scratch / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def random(self, name: str) -> random.Random:
        """Random numbers of one fault."""
        return random.Random(f"{self.seed} {name}")

    @cached_property
    def drawn(self) -> Path:
        """A drawn data set of a few images."""
        from study.parts.synthetic import ensure_synthetic

        return ensure_synthetic(self.scratch / "drawn", COUNTS)

    @cached_property
    def built(self) -> Path:
        """A copy of the study with the book of one drawn category, undisturbed."""
        study = copied(self.folder("built") / "study")
        shutil.copytree(self.drawn, study / "data" / "parts")
        done = run(study, "book", *small())
        if done.code != 0:
            raise RuntimeError(f"the undisturbed book failed: {done.last}")
        return study

    def study(self, name: str, whole: bool = False) -> Path:
        """A copy of `built`; without `whole` the models of its category are to be done again."""
        target = self.folder(name) / "study"
        shutil.copytree(self.built, target)
        if not whole:
            forget(target)
        return target


def forget(study: Path) -> None:
    """Remove what the models have left, and the book; the chapters stay."""
    shutil.rmtree(study / "data" / "features", ignore_errors=True)
    for folder in (study / "build").glob("*/"):
        for path in (folder / "results", folder / "notebooks" / "seed0", *folder.glob("book-*")):
            shutil.rmtree(path, ignore_errors=True)


def copied(target: Path) -> Path:
    """The study's own files in another folder."""
    for part in PARTS:
        source = ROOT / part
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target / part)
    return target


def small(**changes: str) -> list[str]:
    """Options of a book of one drawn category that takes little time."""
    options = {"data-root": "data/parts", "categories": "metal_nut"}
    options |= {"backbone": "efficientnet_lite0"} | changes
    options["params"] = " ".join(f"{name}={value}" for name, value in QUICK.items())
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def start(study: Path, *words: str) -> subprocess.Popen:
    """Begin a command of a study, in a process group of its own."""
    environment = os.environ | {"PYTHONPATH": str(study), "TORCH_HOME": "/nonexistent-torch-home"}
    command = [sys.executable, "-m", "study", *words]
    log = (study / "said.log").open("wb")
    return subprocess.Popen(
        command,
        cwd=study,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,
    )


def ended(study: Path, process: subprocess.Popen) -> Done:
    """Wait for a command."""
    code = process.wait()
    return Done(code, lines_of(study / "said.log"))


def lines_of(log: Path) -> list[str]:
    """What was said on stderr, without progress bars."""
    text = log.read_text(errors="replace").replace("\r", "\n")
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and "/s]" not in line and "s/" not in line[-20:]]


def run(study: Path, *words: str) -> Done:
    """Do a command of a study to its end."""
    return ended(study, start(study, *words))


def undisturbed(study: Path, words: list[str]) -> float:
    """Seconds that a command takes to its good end; without it nothing can be compared."""
    begun = time.perf_counter()
    done = run(study, *words)
    if done.code != 0:
        raise RuntimeError(f"the undisturbed {words[0]} failed ({done.code}): {done.last}")
    return time.perf_counter() - begun


def killed_after(process: subprocess.Popen, seconds: float, everything: bool) -> bool:
    """Kill a command's process group, -9; False where it ended before.

    Kernels of notebooks are no members of the group: they are killed with it, as
    when a machine stops, or must notice by themselves.

    Parameters
    ----------
    process : Popen
    seconds : float
        From now.
    everything : bool
        Whether kernels are killed too.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return False
    own = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    if everything:
        for child in own:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    process.wait()
    _, alive = psutil.wait_procs(own, PATIENCE)
    if alive:
        raise RuntimeError(f"{len(alive)} processes outlived a kill")
    return True


def results_of(study: Path) -> dict[str, object]:
    """All results below the build folder, without what differs between two runs."""
    found = {}
    for path in sorted((study / "build").glob("*/results/*/*.json")):
        said = json.loads(path.read_text())
        kept = {key: value for key, value in said.items() if key not in CHANGING}
        found[path.relative_to(study).as_posix()] = kept
    return found


def pages_of(study: Path) -> set[str]:
    """Executed notebooks and pages of the book."""
    build = study / "build"
    found = [*build.glob("*/notebooks/**/*.ipynb"), *build.glob("*/book-*/_build/html/**/*.html")]
    return {path.relative_to(study).as_posix() for path in found}


def partials(folder: Path) -> list[Path]:
    """Files left half-written."""
    return [path for path in folder.rglob("*.partial*") if ".ipynb_checkpoints" not in path.parts]


def differences(study: Path, undisturbed: Path) -> int:
    """How much of a study is missing, wrong or half-written."""
    ours, theirs = results_of(study), results_of(undisturbed)
    wrong = sum(ours.get(name) != theirs.get(name) for name in ours.keys() | theirs.keys())
    return wrong + len(pages_of(study) ^ pages_of(undisturbed)) + len(partials(study))


def listing(folder: Path) -> dict[str, tuple]:
    """Names, sizes, times and contents of all files below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.stat()
        content = sha256_of(path) if path.is_file() else ""
        found[path.relative_to(folder).as_posix()] = (about.st_mtime_ns, about.st_size, content)
    return found


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount something at a folder, if this user may."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", *options, str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Skipped(f"nothing may be mounted here: {done.stderr.strip()[:80]}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def disk(folder: Path, size: str) -> contextlib.AbstractContextManager:
    """A small disk of its own at a folder."""
    return mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")


def resized(folder: Path, size: str) -> None:
    """Make room on such a disk, or take it."""
    command = ["mount", "-o", f"remount,size={size}", str(folder)]
    subprocess.run(command, check=True, capture_output=True)

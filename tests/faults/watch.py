"""A folder that fills while its watcher is killed: `python -m anomalylib inspect --watch`."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from PIL import Image

from anomalylib.detectors.base import Detector
from anomalylib.images.reading import read_image
from study.checkout import ROOT
from tests.faults.common import Setup, Tried

IMAGES, KILLS = 1000, 20
PACE = 0.05  # seconds between two arrivals
PATIENCE = 1.0  # seconds, of the watcher
LATEST = 120.0  # seconds in which the last watcher must have scored what is left
KINDS = {"whole": 75, "in parts": 10, "damaged": 7, "overwritten": 8}  # per cent
SUFFIXES = ("png", "bmp", "jpg")


def arrivals(setup: Setup) -> Tried:
    """Images that come into a watched folder whose watcher is killed and begun again"""
    count, kills = (60, 2) if setup.quick else (IMAGES, KILLS)
    place, chance = setup.folder("watch"), setup.random("watch")
    detector, file = fitted(setup, place)
    incoming = Incoming(place / "incoming", detector, chance, count)
    record = incoming.folder / "inspected.jsonl"
    torn = 0
    for number in range(kills):
        watcher, among = begun(file, incoming.folder), number % 2
        before = len(lines_of(record))
        while among and len(lines_of(record)) == before and watcher.poll() is None:
            incoming.step(record)  # so that it is killed among those that have waited for it
        until = time.monotonic() + chance.uniform(0, 1 if among else 6)
        while time.monotonic() < until:
            incoming.step(record)
        watcher.kill()
        watcher.communicate()
        if among:
            tear(record, chance)
            torn += 1
    last = begun(file, incoming.folder)
    late = time.monotonic() + LATEST + PACE * len(incoming.coming)
    while not incoming.is_done(record) and time.monotonic() < late:
        incoming.step(record)
    said, code = ended(last)
    wrong = compared(lines_of(record), incoming)
    calm = place / "calm.jsonl"
    memory, again = undisturbed(file, incoming.folder, calm, len(incoming.finals))
    odd = (code != 143) + (not said.startswith("stopped: ")) + (again.keys() != incoming.finals)
    odd += sum(again.get(key_of(row), said_of(row)) != said_of(row) for row in lines_of(record))
    kinds = ", ".join(f"{number} {kind}" for kind, number in incoming.kinds.items())
    outcome = (
        f"{kinds}; killed {kills} times, {torn} times with half a line left: {wrong.lost} lost,"
        f" {wrong.twice} scored twice, {wrong.decided} scored wrongly; resident memory"
        f" {memory[0]} MB after {count // 10} images, {memory[1]} MB after {count:,}"
    )
    return Tried(count, outcome, sum(wrong) + odd)


FAULTS = (arrivals,)


class Wrong(NamedTuple):
    """What must not be in a record, or is missing from it."""

    lost: int
    twice: int
    decided: int


class Incoming:
    """A folder into which images are written, one a step, and what a watcher must say of them.

    Parameters
    ----------
    folder : Path
    detector : Detector
        The watcher's own.
    chance : Random
    count : int
        Images to come.
    """

    def __init__(self, folder: Path, detector: Detector, chance: random.Random, count: int):
        folder.mkdir()
        self.folder, self.detector, self.chance = folder, detector, chance
        kinds = chance.choices(list(KINDS), list(KINDS.values()), k=count)
        self.kinds = Counter(kinds)
        self.coming = deque(enumerate(kinds))
        self.due: list[tuple[float, Path, bytes]] = []  # the other halves, and when they come
        self.to_overwrite: set[str] = set()
        self.expected: dict[tuple, tuple] = {}  # of every version that must have a line
        self.halves: set[str] = set()  # that may be called unreadable before they are complete
        self.finals: set[tuple] = set()  # the versions that stay

    def is_done(self, record: Path) -> bool:
        """Whether all have come, and all that must have a line have one."""
        pending = self.coming or self.due or self.to_overwrite
        return not pending and self.expected.keys() <= {key_of(row) for row in lines_of(record)}

    def step(self, record: Path) -> None:
        """Let an image come, and what is due of those that came."""
        time.sleep(PACE)
        if self.coming:
            self._arrive(*self.coming.popleft())
        for each in [each for each in self.due if each[0] <= time.monotonic()]:
            self.due.remove(each)
            each[1].write_bytes(each[2])
            self._expect(each[1])
        for row in lines_of(record)[:-1] if self.to_overwrite else ():  # the last may be torn off
            if row["image"] in self.to_overwrite:
                self.to_overwrite.remove(row["image"])
                path = self.folder / row["image"]
                self.finals.discard(key_of(row))
                path.write_bytes(self._drawn(path.suffix))
                self._expect(path)

    def _arrive(self, number: int, kind: str) -> None:
        path = self.folder / f"shift {number % 3}" / f"{number:04d}.{SUFFIXES[number % 3]}"
        path.parent.mkdir(exist_ok=True)
        content = self._drawn(path.suffix)
        if kind == "in parts":
            path.write_bytes(content[: self.chance.randrange(1, len(content) - 99)])
            self.halves.add(self._name(path))
            self.due.append((time.monotonic() + self.chance.uniform(0, 4), path, content))
            return
        if kind == "damaged":
            path.write_bytes(content[: self.chance.randrange(1, len(content) // 2)])
        elif number % 2:
            path.write_bytes(content)
        else:
            beside = path.with_name(f".{path.name}.part")
            beside.write_bytes(content)
            beside.rename(path)
        if kind == "overwritten":
            self.to_overwrite.add(self._name(path))
        self._expect(path, kind == "damaged")

    def _expect(self, path: Path, damaged: bool = False) -> None:
        about = path.stat()
        key = (self._name(path), about.st_size, about.st_mtime_ns)
        verdict = None if damaged else self.detector.inspect(read_image(path))
        decision = "anomalous" if verdict and verdict.anomalous else "normal"
        self.expected[key] = ("unreadable", None) if damaged else (decision, verdict.score)
        self.finals.add(key)

    def _drawn(self, suffix: str) -> bytes:
        """The bytes of an image of noise, in half of them with a patch."""
        numbers = np.random.default_rng(self.chance.getrandbits(32))
        pixels = np.clip(numbers.normal(120, 8, (64, 80, 3)), 0, 255).astype(np.uint8)
        if self.chance.random() < 0.5:
            pixels[20:40, 20:50] = numbers.integers(0, 256, 3)
        beside = self.folder / f".drawn{suffix}"
        Image.fromarray(pixels).save(beside)
        return beside.read_bytes()

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def compared(rows: list[dict], incoming: Incoming) -> Wrong:
    """What is wrong in the rows of a record."""
    times = Counter(map(key_of, rows))
    decided = 0
    for row in rows:
        expected = incoming.expected.get(key_of(row))
        if expected is None:  # half an image, if anything
            fine = row["image"] in incoming.halves and row["decision"] == "unreadable"
        else:
            fine = same(said_of(row), expected)
        decided += not fine
    lost = len(incoming.expected.keys() - times.keys())
    return Wrong(lost, sum(times.values()) - len(times), decided)


def same(one: tuple, other: tuple) -> bool:
    """Whether decisions and scores are the same, but for rounding."""
    near = one[1] == other[1] or np.isclose(one[1] or 0, other[1] or 0, rtol=1e-5)
    return one[0] == other[0] and bool(near)


def undisturbed(file: Path, folder: Path, record: Path, count: int) -> tuple[list[int], dict]:
    """Memory of a calm watcher, in MB, after a tenth and all of the images; and what it says."""
    watcher, memory, said = begun(file, folder, record, read=True), [], {}
    for number, line in enumerate(watcher.stdout, 1):
        row = json.loads(line)
        said[key_of(row)] = said_of(row)
        if number in (count // 10, count):
            memory.append(psutil.Process(watcher.pid).memory_info().rss // 10**6)
        if number == count:
            break
    ended(watcher)
    return memory, said


def fitted(setup: Setup, place: Path) -> tuple[Detector, Path]:
    """A detector on the package's backbone, and its file."""
    import anomalylib as al

    chance = np.random.default_rng(0)
    normal = [np.clip(chance.normal(120, 8, (64, 80, 3)), 0, 255).astype(np.uint8) for _ in "12345"]
    extractor = al.FeatureExtractor(al.resolve_backbone("efficientnet_lite0"), image_size=64)
    detector = al.Pooled(extractor, cache=place / "cache").fit(normal)
    return detector, al.save(detector, place / "detector.safetensors")


def begun(
    file: Path, folder: Path, record: Path | None = None, read: bool = False
) -> subprocess.Popen:
    """Start a watcher."""
    words = ["inspect", "--detector", file, "--watch", folder, "--every", "0.2"]
    words += ["--patience", str(PATIENCE), *(["--record", record] if record else [])]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "anomalylib", *map(str, words)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE if read else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def ended(watcher: subprocess.Popen) -> tuple[str, int]:
    """What a watcher says last when it is asked to end, and its exit code."""
    watcher.send_signal(signal.SIGTERM)
    said = watcher.communicate()[1].splitlines()
    return (said or [""])[-1], watcher.returncode


def tear(record: Path, chance: random.Random) -> None:
    """Cut the last line of a record, as a kill within a write leaves it."""
    content = record.read_bytes()
    start = content.rstrip(b"\n").rfind(b"\n") + 1
    os.truncate(record, chance.randrange(start + 1, len(content)))


def lines_of(record: Path) -> list[dict]:
    """The whole lines of a record."""
    with contextlib.suppress(FileNotFoundError):
        return list(_whole(record.read_bytes()))
    return []


def _whole(content: bytes) -> Iterator[dict]:
    for line in content.splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield json.loads(line)


def key_of(row: dict) -> tuple:
    """Which version of which file a row is of."""
    return row["image"], row["size"], row["mtime_ns"]


def said_of(row: dict) -> tuple:
    """What it says."""
    return row["decision"], row["score"]

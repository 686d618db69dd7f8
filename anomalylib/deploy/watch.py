"""A folder that fills: each image in it scored once, and a line of JSON for each in a record.

The folder is listed again and again: a network drive, where cameras write,
does not tell of files that another machine puts there.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from filelock import FileLock, Timeout

from anomalylib.deploy.inspect import UNREADABLE, Finding, scored
from anomalylib.detectors.base import Detector
from anomalylib.errors import UserError
from anomalylib.images.folders import SYSTEM
from anomalylib.images.reading import SUFFIXES, UNREAD

IMAGES = SUFFIXES | UNREAD
START = b'{"image": '  # of every line of a record


class Version(NamedTuple):
    """What a file holds at one time, told by a listing; the oldest sorts first."""

    mtime_ns: int
    image: str  # path inside the watched folder
    size: int  # bytes


@contextlib.contextmanager
def held(folder: Path, record: Path) -> Iterator[BinaryIO]:
    """The record, open, while no other process watches the folder or writes the record.

    A folder that may not be written to is guarded by the record alone.
    """
    if not folder.is_dir():
        raise UserError(f"no folder at {folder}: name the one to watch")
    writable = os.access(folder, os.W_OK)
    lock = FileLock(folder / ".watched.lock", timeout=0) if writable else contextlib.nullcontext()
    of_record = FileLock(record.with_name(f".{record.name}.lock"), timeout=0)
    try:
        with record.open("a+b") as file, lock, of_record:
            yield file
    except Timeout:
        busy = f"another process watches {folder} or writes {record}"
        raise UserError(f"{busy}: stop it first, or name others") from None


@contextlib.contextmanager
def asked_to_end() -> Iterator[list[int]]:
    """Signals that have asked this process to end: none yet, then SIGINT or SIGTERM."""
    asked: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    usual = [signal.signal(number, lambda number, _: asked.append(number)) for number in numbers]
    try:
        yield asked
    finally:
        for number, handler in zip(numbers, usual, strict=True):
            signal.signal(number, handler)


def looks(every: float, asked: Collection[int]) -> Iterator[float]:
    """Times, in seconds, at which to look at the folder: until a signal has come."""
    while not asked:
        yield (now := time.monotonic())
        while not asked and (left := now + every - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))  # a signal does not end a sleep


def lines(
    detector: Detector, folder: Path, record: BinaryIO, times: Iterable[float], patience: float
) -> Iterator[str]:
    """Score what comes into a folder, the oldest first; give each image's line of JSON.

    An image is scored when it is the same at two looks in a row and can be decoded.
    A line is on disk before it is given: after a crash, the record has what a reader missed.

    Parameters
    ----------
    detector : Detector
    folder : Path
        Watched with the folders in it, but not with links to folders.
    record : file
        From `held`. What has a line in it is not scored again.
    times : iterable of float
        From `looks`: a look is taken at each, in seconds.
    patience : float
        Seconds without a change after which a file that cannot be decoded is unreadable.

    Raises
    ------
    UserError
        If the record holds what no watcher has written.
    OSError
        If the folder cannot be listed, or the record not be written.
    """
    done = scored_before(record)
    since: dict[Version, float] = {}  # when what waits was first seen
    for now in times:
        new = versions_in(folder) - done
        for version in sorted(new & since.keys()):
            if line := _line(detector, folder, version, now - since[version] >= patience):
                record.write(f"{line}\n".encode())
                record.flush()
                os.fsync(record.fileno())
                done.add(version)
                yield line
        since = {version: since.get(version, now) for version in new - done}


def scored_before(record: BinaryIO) -> set[Version]:
    """What has a line in a record; half a line at its end is cut off."""
    found, end = set(), record.seek(0)
    for number, line in enumerate(record, 1):
        try:
            if line.endswith(b"\n"):
                said = json.loads(line)
                found.add(Version(said["mtime_ns"], said["image"], said["size"]))
                end += len(line)
            elif not START.startswith(line.rstrip(b"\0")[: len(START)]):
                raise ValueError
        except (ValueError, LookupError, TypeError):
            wrong = f"line {number} of {record.name} is not of a watcher"
            raise UserError(f"{wrong}: name another file as --record") from None
    record.truncate(end)
    return found


def versions_in(folder: Path, inside: str = "") -> set[Version]:
    """The images in a folder and in the folders in it, by their names, as they are now."""
    found: set[Version] = set()
    with os.scandir(folder / inside) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in SYSTEM:
                continue
            image = f"{inside}{entry.name}"
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # gone by now
                if entry.is_dir(follow_symlinks=False):
                    found |= versions_in(folder, f"{image}/")
                elif Path(image).suffix.lower() in IMAGES and entry.is_file():
                    found.add(_version(entry, image))
    return found


def _version(file: Path | os.DirEntry, image: str) -> Version:
    about = file.stat()
    return Version(about.st_mtime_ns, image, about.st_size)


def _line(detector: Detector, folder: Path, version: Version, waited: bool) -> str:
    """The line of an image; "" if it has changed or gone, or, not having waited, is unreadable."""
    path, start = folder / version.image, time.perf_counter()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        try:
            (finding,) = scored(detector, [path])
        except UserError as error:  # its score is no number
            finding = Finding(path, UNREADABLE, reason=str(error))
        same = _version(path, version.image) == version  # then that is what was read
        if same and (waited or finding.decision != UNREADABLE):
            when = datetime.now(UTC).isoformat(timespec="milliseconds")
            took = round(1000 * (time.perf_counter() - start), 1)
            more = version._asdict() | {"scored": when, "milliseconds": took}
            return json.dumps(finding.row | more)
    return ""

"""Files that are either whole or absent."""

import contextlib
import glob
import hashlib
import os
import platform
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from anomalylib.errors import UserError, first_line, is_full


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, and rename it at the end.

    A reader sees the old file or the new one, never half of either. If the
    block raises, nothing is left behind; what a killed process has left goes
    when the same file is written again. That a disk is full is a `UserError`.
    """
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = _beside(path)
        yield beside
        beside.chmod(0o644)
        beside.replace(path)
    except Exception as error:
        if is_full(error) and not isinstance(error, UserError):
            raise UserError(f"{path} was not written: {first_line(error)}") from None
        raise
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """An empty file beside `path`, named after this process; those of dead ones go."""
    suffix = f".partial{path.suffix}"
    mine = f".{path.stem}-{re.sub('[^a-zA-Z0-9]', '', platform.node())}-"
    for left in path.parent.glob(f"{glob.escape(mine)}*{glob.escape(suffix)}"):
        process = left.name.removeprefix(mine).partition("-")[0]
        if process.isdigit() and not _alive(int(process)):
            left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{mine}{os.getpid()}-", suffix=suffix)
    os.close(handle)
    return Path(name)


def _alive(process: int) -> bool:
    """Whether a process of this machine still runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

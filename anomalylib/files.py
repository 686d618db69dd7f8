"""Files that are either whole or absent."""

import contextlib
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder of the study: ``notebooks/``, ``book/`` and ``data/`` lie in it."""


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, and rename it at the end.

    A reader sees the old file or the new one, never half of either. If the
    block raises, nothing is left behind.

    Parameters
    ----------
    path : Path
        The file to be; its folder is made.

    Yields
    ------
    Path
        Where to write; it has the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.stem}-", suffix=f".partial{path.suffix}"
    )
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def from_root(path: Path) -> str:
    """A path as seen from `ROOT`, where notebooks are executed."""
    return Path(os.path.relpath(path.resolve(), ROOT)).as_posix()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_hash(*modules: str) -> str:
    """SHA-256 of the code of some modules of this library."""
    folder = Path(__file__).parent
    said = "".join(sha256_of(folder / f"{name}.py") for name in sorted(modules))
    return hashlib.sha256(said.encode()).hexdigest()


def commit() -> str:
    """The commit of the study's folder, where it is a git checkout."""
    if not (ROOT / ".git").exists():  # it may lie in another project's checkout
        return "unknown"
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"

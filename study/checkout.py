"""The checkout that the study lies in: its folder, paths from there, its commit."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder of ``notebooks/``, ``book/`` and ``data/``."""
FEATURES = ROOT / "data" / "features"
"""What the study keeps of features and of what was learned."""


def from_root(path: Path) -> str:
    """A path as seen from `ROOT`, where notebooks are executed."""
    return Path(os.path.relpath(path.resolve(), ROOT)).as_posix()


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

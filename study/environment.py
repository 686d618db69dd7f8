"""Make or complete the environment: ``python3 study/environment.py FOLDER [EXTRA]``.

It runs before anything is installed, so it needs the standard library alone.
"""

from __future__ import annotations  # so that an old Python gets as far as its refusal

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

LEAST = (3, 11, 5)
SHOWN = 15  # last lines of the log, where it fails
LOOK = 0.5  # seconds


def main(arguments: Sequence[str]) -> int:
    """Install what `arguments` ask for; return the exit code."""
    if sys.version_info < LEAST:
        needed = ".".join(map(str, LEAST))
        print(f"error: {sys.executable} is too old: Python {needed} or newer is needed (PYTHON=…)")
        return 2
    folder, extra = Path(arguments[0]), "".join(arguments[1:2])
    log, python = folder / f"setup{'-' * bool(extra)}{extra}.log", str(folder / "bin" / "python")
    what = f"packages for contributors in {folder}" if extra else f"the environment in {folder}"
    folder.mkdir(parents=True, exist_ok=True)
    pip = [python, "-m", "pip", "install", "--constraint", "constraints.txt"]
    steps = [] if extra else [[sys.executable, "-m", "venv", folder]]
    index = os.environ.get("TORCH_INDEX", "")
    if index and not extra:
        steps.append([*pip, "torch", "torchvision"])
    steps.append([*pip, "--editable", f".[{extra}]" if extra else "."])
    start = time.monotonic()
    with log.open("w") as file:
        for step in steps:
            alone = {"PIP_INDEX_URL": index} if "torch" in step else {}
            code = _run(step, file, os.environ | alone, f"making {what}", start)
            if code:
                _fail(what, log)
                return 2
    spent = time.monotonic() - start
    _say(f"made {what} in {spent:.0f} s, log in {log}", last=True)
    if not extra:
        (folder / "setup-seconds").write_text(f"{spent:.0f}\n")
    return 0


def _run(command: list, file, environment: dict[str, str], doing: str, start: float) -> int:
    """Run a command whose output goes to the log; say how far it is."""
    joined = {"stdout": file, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, env=environment, **joined) as process:
        while True:
            found = Path(file.name).read_text(errors="replace").count("\nCollecting ")
            packages = f", {found} packages found" if found else ""
            _say(f"{doing}: {time.monotonic() - start:.0f} s{packages}, log in {file.name}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK)


def _say(text: str, last: bool = False) -> None:
    """Renew the one line on a terminal; elsewhere, print only how it began and ended."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="\n" if last else "", flush=True)
    elif last or not getattr(_say, "begun", False):
        print(text, flush=True)
    _say.begun = True


def _fail(what: str, log: Path) -> None:
    lines = log.read_text(errors="replace").splitlines()[-SHOWN:]
    print("\n" * sys.stdout.isatty() + "\n".join(lines))
    print(f"error: {what} is not complete: see {log}, mend it and run again", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("stopped; run again to go on from here")

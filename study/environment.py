"""Make the environment or add to it: ``python3 study/environment.py FOLDER [EXTRA]``."""

from __future__ import annotations  # an old Python must get as far as its refusal

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path  # nothing else than the standard library is there yet

LEAST = "3.11.5"


def main(arguments: list[str]) -> int:
    """Install what `arguments` ask for; return the exit code."""
    if sys.version_info < tuple(map(int, LEAST.split("."))):
        return _fail(f"{sys.executable} is too old: Python {LEAST} or newer is needed (PYTHON=…)")
    folder, extra = Path(arguments[0]), "".join(arguments[1:2])
    log, python = folder / f"setup{'-' * bool(extra)}{extra}.log", str(folder / "bin" / "python")
    what = "contributors' tools" if extra else "the environment"
    folder.mkdir(parents=True, exist_ok=True)
    pip = [python, "-m", "pip", "install", "--constraint", "constraints.txt"]
    steps = [] if extra else [[sys.executable, "-m", "venv", folder]]
    if os.environ.get("TORCH_INDEX") and not extra:  # that index may lack what they need
        steps.append([*pip, "--no-deps", "torch", "torchvision"])
    steps.append([*pip, "--editable", f".[{extra}]" if extra else "."])
    start = time.monotonic()
    with log.open("w") as file:
        for step in steps:
            alone = {"PIP_INDEX_URL": os.environ["TORCH_INDEX"]} if "torch" in step else {}
            if _run(step, file, os.environ | alone, f"installing {what}", start):
                return _fail(f"installing {what} failed: see {log}, mend it and run again", log)
    spent = time.monotonic() - start
    _say(f"installed {what} in {spent:.0f} s, log in {log}", last=True)
    if not extra:
        (folder / "setup-seconds").write_text(f"{spent:.0f}\n")
    return 0


def _run(command: list, file, environment: dict[str, str], doing: str, start: float) -> int:
    """Run a command whose output goes to the log; say how far it is."""
    with subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT) as child:
        try:
            while True:
                done = Path(file.name).read_text(errors="replace")
                n = done.count("\nCollecting ") + done.count("\nProcessing ")
                _say(f"{doing}: {time.monotonic() - start:.0f} s, {n} packages, log in {file.name}")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return child.wait(timeout=0.5)
        finally:
            child.terminate()  # where it has not ended: no second pip beside the next one
            child.wait()


def _say(text: str, last: bool = False) -> None:
    """Renew the one line on a terminal; elsewhere, print only how it began and ended."""
    if sys.stdout.isatty():
        fits = None if last else shutil.get_terminal_size().columns - 1  # wrapped is not renewed
        print(f"\r\x1b[K{text[:fits]}", end="\n" if last else "", flush=True)
    elif last or not getattr(_say, "begun", False):
        print(text, flush=True)
    _say.begun = True


def _fail(why: str, log: Path | None = None) -> int:
    if log:
        lines = log.read_text(errors="replace").splitlines()[-15:]
        print("\n" * sys.stdout.isatty() + "\n".join(lines), flush=True)
    print(f"error: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as error:
        sys.exit(f"error: {error}: mend it, or remove the environment, and run again")
    except KeyboardInterrupt:
        sys.exit("\n" * sys.stdout.isatty() + "stopped; run again to go on from here")

"""Try the study by faults, one after the other, and keep what came of it: `make faults`."""

import argparse
import csv
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from anomalylib.errors import first_line
from anomalylib.files import written_whole
from study.checkout import ROOT
from tests.faults.common import Setup, Skipped, Tried

SECTIONS = ("kills", "together", "disks", "paths", "images", "archives", "weights", "injection")
SECTIONS += ("numbers", "damage", "orphans", "mixups", "inputs", "watch")
TABLE = ROOT / "data" / "reference" / "faults.csv"
COLUMNS = ("fault", "tried", "outcome", "lost")


def main() -> int:
    """Try the sections asked for; 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help=f"of {', '.join(SECTIONS)}, spaced")
    parser.add_argument("--output", default="", help="file of the table")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    options = parser.parse_args()
    sections = options.only.split() or SECTIONS
    if unknown := set(sections) - set(SECTIONS):
        parser.error(f"no section {unknown.pop()!r}; there are {', '.join(SECTIONS)}")
    if os.geteuid() != 0 and may_unshare():  # so that disks can be mounted
        command = ["unshare", "--map-root-user", "--mount", sys.executable, "-m", "tests.faults"]
        os.execvp(command[0], [*command, *sys.argv[1:]])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which jobs of a shell may ignore
    print(f"random moments by seed {options.seed}", flush=True)
    os.environ["TQDM_DISABLE"] = "1"  # in all that is begun here
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        rows = tried(sections, Setup(scratch, seed=options.seed))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if sections == SECTIONS or options.output:
        keep(rows, Path(options.output or TABLE))
    return int(any(row[-1] for row in rows))


def tried(sections: list[str], setup: Setup) -> list[tuple]:
    """One row a fault."""
    rows = []
    for section in sections:
        for fault in importlib.import_module(f"tests.faults.{section}").FAULTS:
            name = (fault.__doc__ or "").strip().splitlines()[0].rstrip(".")
            start = time.perf_counter()
            try:
                found = fault(setup)
            except Skipped as why:
                found = Tried(0, f"not tried: {why}", 0)
            except Exception as error:  # the others are tried all the same
                found = Tried(0, f"{type(error).__name__}: {first_line(error)}", 1)
            if found.lost:
                found = found._replace(outcome=f"not so: {found.outcome}")
            rows.append((name, *found))
            print(f"{section}: {rows[-1]}, {time.perf_counter() - start:.0f} s", flush=True)
    return rows


def keep(rows: list[tuple], path: Path) -> None:
    """Write the table."""
    with written_whole(path) as beside, beside.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([COLUMNS, *rows])
    print(f"{len(rows)} faults in {path}")


def may_unshare() -> bool:
    """Whether this user can have mounts of its own."""
    command = ["unshare", "--map-root-user", "--mount", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())

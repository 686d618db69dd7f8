"""combined+ beside combined, on every category: from image files to scores, in turn."""

import shutil

from tests.benchmarks.arms import fit_and_score
from tests.benchmarks.common import Row, Setup, alone

THREADS = 2
PAIR = ("combined", "combined_plus")
REPEATS = 3


def measure(setup: Setup) -> list[Row]:
    """Seconds and peak memory with nothing on disk, each in a process of its own."""
    rows = []
    for name in setup.categories:
        for repeat in range(setup.repeats(REPEATS)):
            for arm in PAIR:
                folder = setup.scratch / "beside"
                shutil.rmtree(folder, ignore_errors=True)
                row, peak = alone(fit_and_score, setup, name, arm, THREADS, folder, {})
                rows.append(row | {"repeat": repeat, "peak_mb": peak})
    return rows

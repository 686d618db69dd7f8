"""kNN reconstruction beside combined, and beside patchcore of its image size, on every category."""

import shutil

from study.settings import make_settings
from tests.benchmarks.common import Row, Setup, alone
from tests.benchmarks.models import fit_and_score

THREADS = 2
SIDE = make_settings("knn_reconstruction", {}).image_size
BESIDE = {"combined": {}, "knn_reconstruction": {}, "patchcore": {"image_size": SIDE}}
REPEATS = 3


def measure(setup: Setup) -> list[Row]:
    """Seconds from image files to scores, in turn, with nothing on disk, each in a process."""
    rows = []
    for name in setup.categories:
        for repeat in range(setup.repeats(REPEATS)):
            for model, changes in BESIDE.items():
                if model == "patchcore" and repeat:
                    continue  # slow, and no ratio is taken of it
                folder = setup.scratch / "beside"
                shutil.rmtree(folder, ignore_errors=True)
                row, peak = alone(fit_and_score, setup, name, model, THREADS, folder, changes)
                rows.append(row | {"repeat": repeat, "peak_mb": peak})
    return rows

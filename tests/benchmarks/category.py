"""One category from files to scores: with nothing kept, with features kept, with all kept."""

import shutil

from tests.benchmarks.arms import ARMS, fit_and_score
from tests.benchmarks.common import Row, Setup, alone

THREADS = 2
STATES = ("cold", "features kept", "all kept")
REPEATS = 2
BESIDE_PEERS, FEW = ("combined", "patchcore"), 100
"""Learned from so few images too, as the peer needs very long for all of them."""


def measure(setup: Setup) -> list[Row]:
    """Seconds and peak memory of every arm, each time in a process of its own.

    The folder is emptied before each cold run, and what was learned is thrown
    away before each run that may read features only.
    """
    rows = []
    for name in setup.categories[:1]:
        for repeat in range(setup.repeats(REPEATS)):
            for arm in BESIDE_PEERS:
                folder = setup.scratch / f"{name}-{arm}-{FEW}"
                shutil.rmtree(folder, ignore_errors=True)
                given = (setup, name, arm, THREADS, folder, {}, False, 4 if setup.quick else FEW)
                row, peak = alone(fit_and_score, *given)
                rows.append(row | {"state": "few", "repeat": repeat, "peak_mb": peak})
            for arm in ARMS:
                folder = setup.scratch / f"{name}-{arm}"
                shutil.rmtree(folder, ignore_errors=True)
                for state in STATES[::2] if arm == "autoencoder" else STATES:
                    keep = state != "features kept"
                    given = (setup, name, arm, THREADS, folder, {}, keep)
                    row, peak = alone(fit_and_score, *given)
                    rows.append(row | {"state": state, "repeat": repeat, "peak_mb": peak})
    return rows

"""One category from files to scores: with nothing kept, with features kept, with all kept."""

import shutil

from tests.benchmarks.common import Row, Setup, alone
from tests.benchmarks.models import MODELS, fit_and_score

THREADS = 2
STATES = ("cold", "features kept", "all kept")
REPEATS = 2
BESIDE_PEERS, FEW = ("combined", "patchcore"), 100
"""Learned from so few images too, as the peer needs very long for all of them."""


def measure(setup: Setup) -> list[Row]:
    """Seconds and peak memory of every model, each time in a process of its own.

    The folder is emptied before each cold run, and what was learned is thrown
    away before each run that may read features only.
    """
    rows = []
    for name in setup.categories[:1]:
        for repeat in range(setup.repeats(REPEATS)):
            for model in BESIDE_PEERS:
                folder = setup.scratch / f"{name}-{model}-{FEW}"
                shutil.rmtree(folder, ignore_errors=True)
                given = (setup, name, model, THREADS, folder, {}, False, 4 if setup.quick else FEW)
                row, peak = alone(fit_and_score, *given)
                rows.append(row | {"state": "few", "repeat": repeat, "peak_mb": peak})
            for model in MODELS:
                folder = setup.scratch / f"{name}-{model}"
                shutil.rmtree(folder, ignore_errors=True)
                for state in STATES[::2] if model == "autoencoder" else STATES:
                    keep = state != "features kept"
                    given = (setup, name, model, THREADS, folder, {}, keep)
                    row, peak = alone(fit_and_score, *given)
                    rows.append(row | {"state": state, "repeat": repeat, "peak_mb": peak})
    return rows

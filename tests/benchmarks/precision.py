"""Whether bfloat16 changes what the models on features say: AUROC with either precision."""

import torch

from tests.benchmarks.common import Row, Setup
from tests.benchmarks.models import fit_and_score

THREADS = 2
SEED = 0
ON_FEATURES = ("resnet", "combined", "patchcore")


def measure(setup: Setup) -> list[Row]:
    """AUROC of the same seeds with the backbone and FeatCAE in either precision."""
    torch.set_num_threads(THREADS)
    rows = []
    for name in setup.categories:
        for model in ON_FEATURES:
            for precision in ("float32", "bfloat16"):
                changes = {"precision": precision, "seed": SEED}
                row = fit_and_score(setup, name, model, THREADS, setup.scratch, changes)
                said = {key: row[key] for key in ("category", "model", "auroc")}
                rows.append(said | {"precision": precision, "seed": SEED})
    return rows

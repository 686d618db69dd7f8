"""Anomaly maps of a few telling test images of every model, on the model's own grid."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from anomalylib.files import written_whole
from anomalylib.images.category import Category
from study.runs.experiment import Experiment
from study.runs.measurement import Run, cell_mask

KINDS = ("clear hit", "median defect", "worst miss", "most suspicious normal")
COARSE = 48  # cells a side; of a finer map, the outline of the defect is kept on `OUTLINE`
OUTLINE = 32


def telling(labels: np.ndarray, scores: np.ndarray) -> list[int]:
    """The test images of `KINDS`, by their numbers, from labels and scores (N,)."""
    order = np.argsort(scores, kind="stable")
    anomalous, normal = order[labels[order] == 1], order[labels[order] == 0]
    return [int(i) for i in (*anomalous[[-1, len(anomalous) // 2, 0]], normal[-1])]


def examples(
    experiment: Experiment, runs: Sequence[Run], category: Category
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """A row an example, and the arrays that it names: maps (4, H, W) and masks (4, G, G) of a run.

    Maps are those of the measurement, in half precision; a mask says which cells of the map, or
    of a coarser grid, touch the defect.
    """
    labels = category.test.labels
    frames, arrays = [], {}
    both = len(set(labels)) == 2
    for run in [run for run in runs if run.category == category.name and both]:
        maps = experiment.maps(run)  # (N, H, W)
        if maps[0].size == 1:
            continue
        scores = np.array(experiment.load(run).result.scores)
        chosen = telling(labels, scores)
        side = maps.shape[-1] if maps.shape[-1] <= COARSE else OUTLINE
        name = f"{run.category} {run.model} {run.variant}"
        arrays[f"{name} maps"] = maps[chosen].astype(np.float16)
        arrays[f"{name} masks"] = np.stack([cell_mask(category, i, side) for i in chosen])
        columns = {"category": run.category, "model": run.model, "variant": run.variant}
        columns |= {"backbone": run.backbone, "kind": KINDS, "arrays": name}
        columns |= {"image": [category.test.names[i] for i in chosen]}
        columns |= {"defect_type": [category.test.defect_types[i] for i in chosen]}
        frames.append(pd.DataFrame(columns | {"score": scores[chosen]}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(), arrays


def write_arrays(arrays: dict[str, np.ndarray], folder: Path, name: str) -> None:
    """Write arrays into an ``.npz`` file of this name, whole or not at all."""
    with written_whole(folder / f"{name}.npz") as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)

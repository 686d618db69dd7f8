"""How the error of a patch depends on how rare it is among normal ones."""

from typing import Any

import numpy as np
import torch

from anomalylib.detectors.blocks import as_rows, blocks, joined
from anomalylib.detectors.patchcore import gather
from anomalylib.features.cache import Stored
from anomalylib.images.category import Category
from study.runs.measurement import cell_mask

SEEDS = 256  # patches, taken at random, that tell how rare all others are
# Shares of the normal patches that are more common than a bin's.
EDGES = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1)


def rarity_of(features: Stored, normal: Stored, seed: int = 0) -> np.ndarray:
    """Distance (N, H, W) of each patch to the nearest of a few hundred random normal ones."""
    total = int(np.prod(normal.shape[:3]))
    random = np.random.default_rng(seed)
    seeds = gather(normal, np.sort(random.choice(total, min(SEEDS, total), replace=False)))
    parts = (
        torch.cdist(as_rows(block), seeds).amin(dim=1).view(block.shape[:3]).numpy()
        for block in blocks(features)
    )
    return joined(parts, len(features))


def by_rarity(rarity: np.ndarray, errors: np.ndarray, category: Category) -> list[dict[str, Any]]:
    """Mean error, over that of normal patches, of these and of defects, (N, H, W), by rarity."""
    labels, side = category.test.labels, rarity.shape[1]
    masks = np.stack([cell_mask(category, index, side) for index in range(len(labels))])
    good = labels == 0
    edges = np.quantile(rarity[good], EDGES)
    rows = []
    kinds = {"normal": np.broadcast_to(good[:, None, None], rarity.shape), "defect": masks}
    for kind, there in kinds.items():
        which = np.clip(np.searchsorted(edges, rarity[there], side="right") - 1, 0, len(EDGES) - 2)
        relative = errors[there] / errors[good].mean()
        for number, above in enumerate(EDGES[:-1]):
            inside = relative[which == number]
            mean = float(inside.mean()) if len(inside) else None
            rows.append({"kind": kind, "above": above, "patches": len(inside), "error": mean})
    return rows

"""PatchCore: nearest neighbours of patches in a greedy coreset."""

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn
from tqdm import tqdm

from anomalylib.detectors.base import FeatureDetector, Tensors, estimator
from anomalylib.detectors.blocks import as_rows, blocks, by_parts
from anomalylib.devices import CPU, to_numpy
from anomalylib.features.cache import Stored

CANDIDATES = 2**18
"""Patches among which the coreset is chosen; those of 334 images at 224 pixels."""
DIMENSIONS = 128  # of the projection in which the coreset is chosen
AT_ONCE = 2**19  # distances at a time: more of them leave the processor's caches


class NearestPatch(nn.Module):
    """Distance of each patch to the nearest of a bank."""

    def __init__(self, bank: torch.Tensor, image: torch.Tensor):
        super().__init__()
        self.register_buffer("bank", bank)  # (M, C)
        self.register_buffer("image", image)  # (M,), the training image that each comes from

    def forward(self, features: torch.Tensor, without: int | None = None) -> torch.Tensor:
        """Maps (N, H, W) of features (N, H, W, C), without the patches of one training image."""
        offset = self.bank.square().sum(dim=1)  # (M,)
        if without is not None:
            offset = offset.masked_fill(self.image == without, torch.inf)

        def nearest(rows: torch.Tensor) -> torch.Tensor:
            least = torch.addmm(offset, rows, self.bank.T, alpha=-2).amin(dim=1)  # (n,)
            return (least + rows.square().sum(dim=1)).clamp(min=0).sqrt()  # (n,)

        distances = by_parts(nearest, as_rows(features), AT_ONCE // len(self.bank))
        return distances.unflatten(0, features.shape[:3])  # (N, H, W)


@estimator
class PatchCore(FeatureDetector):
    """Distance of each patch to its nearest neighbour in a coreset.

    Parameters
    ----------
    features : FeatureExtractor
    coreset : float
        Share of the normal patches kept in the memory bank. Of more than
        `CANDIDATES` patches, the share is taken of a random selection.
    top_k, sigma, seed, cache, keep
        See `Detector`.

    References
    ----------
    Roth et al., CVPR 2022. Their score is the largest distance, reweighted;
    here it is aggregated as in the other detectors.
    """

    LOWER = "coreset or image_size"

    coreset: Annotated[float, Field(gt=0, le=1)] = 0.01

    def _learn(self, inputs: Stored) -> Tensors:
        places = inputs.shape[1] * inputs.shape[2]
        patches = np.arange(len(inputs) * places)  # (P,)
        if len(patches) > CANDIDATES:
            random = np.random.default_rng(self.seed)
            patches = np.sort(random.choice(patches, CANDIDATES, replace=False))
        count = max(1, round(self.coreset * len(patches)))
        device = self.device_
        rows = projected(inputs, patches, seed=self.seed, device=device)  # (P, D)
        chosen = patches[greedy_coreset(rows, count, seed=self.seed)]
        image = torch.from_numpy(chosen // places)
        return {"bank": gather(inputs, chosen, device), "image": image}

    def _module(self, learned: Tensors) -> NearestPatch:
        return NearestPatch(learned["bank"], learned["image"])

    @torch.inference_mode()
    def _normal_maps(self, inputs: Stored) -> Iterator[np.ndarray]:
        """Each image without its own patches: (1, H, W)."""
        for i in range(len(inputs)):
            yield self._computed(inputs[i : i + 1], without=i)


def gather(features: Stored, patches: np.ndarray, device: torch.device = CPU) -> torch.Tensor:
    """Patches (M, C) of features (N, H, W, C), by their numbers, image by image, row by row."""
    places = features.shape[1] * features.shape[2]
    rows = torch.empty(len(patches), features.shape[-1], device=device)  # (M, C)
    for image in np.unique(patches // places):
        places_in = np.flatnonzero(patches // places == image)
        of_image = as_rows(features[image : image + 1], device)  # (H*W, C)
        rows[places_in] = of_image[patches[places_in] % places]
    return rows


def projected(
    features: Stored, patches: np.ndarray, *, seed: int = 0, device: torch.device = CPU
) -> torch.Tensor:
    """Patches (P,) of (N, H, W, C), by increasing number, in fewer dimensions: (P, D)."""
    channels = features.shape[-1]
    if channels > DIMENSIONS:
        generator = torch.Generator().manual_seed(seed)
        shape = (channels, DIMENSIONS)
        projection = torch.randn(shape, generator=generator) / DIMENSIONS**0.5  # (C, D)
    else:
        projection = torch.eye(channels)
    projection = projection.to(device)
    rows = torch.empty(len(patches), projection.shape[1], device=device)  # (P, D)
    first = start = 0
    for block in blocks(features):
        last = first + math.prod(block.shape[:3])
        stop = np.searchsorted(patches, last)
        rows[start:stop] = (as_rows(block, device) @ projection)[patches[start:stop] - first]
        first, start = last, stop
    return rows


def greedy_coreset(rows: torch.Tensor, count: int, *, seed: int = 0) -> np.ndarray:
    """Choose rows of (N, D), each time the farthest from those taken (k-center greedy): (count,).

    References
    ----------
    Roth et al., "Towards total recall in industrial anomaly detection", CVPR
    2022, section 3.2; Sener, Savarese, ICLR 2018.
    """
    generator = torch.Generator().manual_seed(seed)
    squares = rows.square().sum(dim=1)  # (N,)
    nearest = torch.full_like(squares, torch.inf)
    taken = torch.randint(len(rows), (1,), generator=generator).to(rows.device)  # (1,)
    # They stay on the device, which would wait for each otherwise, and in one place of its memory.
    chosen = torch.empty(count, dtype=torch.long, device=rows.device)
    for step in tqdm(range(count), desc="coreset", unit="patch", mininterval=1):
        chosen[step : step + 1] = taken
        latest = rows.index_select(0, taken)[0]  # (D,)
        distance = squares - 2 * (rows @ latest) + squares[taken]  # (N,), squared
        nearest = torch.minimum(nearest, distance)
        nearest[taken] = -torch.inf
        taken = nearest.argmax(keepdim=True)
    return to_numpy(chosen)

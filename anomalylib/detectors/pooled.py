"""Pooled features, compared with those of normal images: the model *resnet*."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from anomalylib.detectors.base import FeatureDetector, Tensors, estimator
from anomalylib.devices import to_numpy
from anomalylib.features.cache import Stored

ROWS = 128  # images compared at a time
EXACT = "donot_use_mm_for_euclid_dist"
"""Differences first: a product of matrices rounds the small distances of images that are alike."""


class NearestImage(nn.Module):
    """Distance of pooled features to the nearest of a bank."""

    def __init__(self, bank: torch.Tensor):
        super().__init__()
        self.register_buffer("bank", bank)  # (M, C)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map of a single cell, as pooling drops the place: (N, H, W, C) to (N, 1, 1)."""
        pooled = features.float().mean(dim=(1, 2))  # (N, C)
        return self.distances(pooled).amin(dim=1)[:, None, None]  # (N, 1, 1)

    def distances(self, pooled: torch.Tensor) -> torch.Tensor:
        """Of each row (N, C) to each of the bank: (N, M)."""
        return torch.cdist(pooled, self.bank, compute_mode=EXACT)


@estimator
class Pooled(FeatureDetector):
    """Distance of the mean feature vector to the nearest of a normal image.

    Parameters
    ----------
    features : FeatureExtractor
    top_k, sigma, seed, cache, keep
        See `Detector`.
    """

    LOWER = "image_size"

    def _learn(self, inputs: Stored) -> Tensors:
        return {"bank": torch.from_numpy(self.vectors(inputs))}

    def _module(self, learned: Tensors) -> NearestImage:
        return NearestImage(learned["bank"])

    def _normal_maps(self, inputs: Stored) -> Iterator[np.ndarray]:
        """Distance to the nearest other image: (n, 1, 1)."""
        bank = self.model_.bank  # (M, C)
        for start in range(0, len(bank), ROWS):
            distances = self.model_.distances(bank[start : start + ROWS])  # (n, M)
            distances[:, start:].fill_diagonal_(torch.inf)
            yield to_numpy(distances.amin(dim=1).view(-1, 1, 1))

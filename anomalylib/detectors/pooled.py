"""The arm resnet: pooled features, compared with those of nominal images."""

from collections.abc import Iterator

import numpy as np
import torch

from anomalylib.detectors.base import FeatureDetector, Images, Tensors

ROWS = 128
"""Images compared at a time."""
EXACT = "donot_use_mm_for_euclid_dist"
"""Differences first: a product of matrices rounds the small distances of images that are alike."""


class Pooled(FeatureDetector):
    """Pooled features: distance to the nearest nominal image.

    Its map has a single cell, since pooling has dropped the place.
    """

    def _learn(self, images: Images) -> Tensors:
        return {"bank": self.pooled(images)}

    def _take(self, learned: Tensors) -> None:
        self.bank_ = learned["bank"]  # (M, C)

    def _nearest(self, rows: torch.Tensor, hide_own: bool = False) -> Iterator[np.ndarray]:
        """Distance of each row to the bank, or to its other rows: (n, 1, 1)."""
        for start in range(0, len(rows), ROWS):
            own = rows[start : start + ROWS]  # (n, C)
            distance = torch.cdist(own, self.bank_, compute_mode=EXACT)  # (n, M)
            if hide_own:
                distance[:, start:].fill_diagonal_(torch.inf)
            yield distance.amin(dim=1).view(-1, 1, 1).numpy()  # (n, 1, 1)

    def _maps(self, images: Images) -> Iterator[np.ndarray]:
        return self._nearest(self.pooled(images))

    def _nominal_maps(self, images: Images) -> Iterator[np.ndarray]:
        return self._nearest(self.bank_, hide_own=True)  # the nearest other image

"""Every feature vector, rebuilt from its normal neighbours: the model *kNN reconstruction*."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from anomalylib.detectors.base import FeatureDetector, Tensors, estimator
from anomalylib.detectors.blocks import as_rows, blocks, by_parts, joined
from anomalylib.detectors.patchcore import gather, greedy_coreset
from anomalylib.errors import UserError
from anomalylib.features.cache import Stored

SEEDS = 256  # patches, taken at random, that tell how rare all others are
CANDIDATES = 2**16  # patches, rare ones preferred, among which the bank is chosen
GATHERED = 2**14  # patches in memory at a time, at full length
AT_ONCE = 2**19  # distances in memory at a time


class NearestCombination(nn.Module):
    """Error of rebuilding each patch from its nearest of a bank, on principal axes."""

    def __init__(self, learned: Tensors, neighbours: int, ridge: float):
        super().__init__()
        self.register_buffer("mean", learned["mean"])  # (C,)
        self.register_buffer("axes", learned["axes"])  # (C, D)
        self.register_buffer("bank", learned["bank"])  # (M, D), on the axes
        self.register_buffer("image", learned["image"])  # (M,), the training image of each
        self.neighbours, self.ridge = neighbours, ridge

    def forward(self, features: torch.Tensor, without: int | None = None) -> torch.Tensor:
        """Maps (N, H, W) of features (N, H, W, C), without the patches of one training image."""
        bank = self.bank if without is None else self.bank[self.image != without]  # (M, D)
        if not len(bank):
            raise UserError("all patches kept come from one training image: give more images")
        rows = (as_rows(features) - self.mean) @ self.axes  # (N*H*W, D)
        errors = by_parts(
            lambda part: rebuilding_errors(part, bank, self.neighbours, self.ridge),
            rows,
            AT_ONCE // len(bank),
        )
        return errors.unflatten(0, features.shape[:3])  # (N, H, W)


@estimator
class KNNReconstruction(FeatureDetector):
    """Error of rebuilding each feature vector from normal ones that resemble it.

    FeatCAE squeezes every patch through one narrow code, so that what is rare
    among normal patches is rebuilt as badly as what is wrong. Here the nearest
    few of a bank of normal patches, which covers the rare ones too, are weighted
    so that together they come near, and what is left is the error. With one
    neighbour it is PatchCore's distance.

    Parameters
    ----------
    features : FeatureExtractor
    neighbours : int
        k, patches that rebuild one.
    bank : int
        M, normal patches kept.
    dimensions : int
        D, principal axes of the normal patches in which all this is done.
    ridge : float
        What keeps the weights small; see `rebuilding_errors`.
    top_k, sigma, seed, cache, keep
        See `Detector`.

    References
    ----------
    The weights are those of Roweis, Saul, "Nonlinear dimensionality reduction
    by locally linear embedding", Science 2000; what they leave is, for one
    class, the distance of Vincent, Bengio, "K-local hyperplane and convex
    distance nearest neighbor algorithms", NIPS 2001. The bank is chosen as in
    Roth et al., CVPR 2022, among patches drawn by squared distance, as seeds in
    Arthur, Vassilvitskii, "k-means++", SODA 2007, but all at once.
    """

    IMAGE_SIZE = 384

    neighbours: Annotated[int, Field(ge=1, le=100)] = 10
    bank: Annotated[int, Field(ge=1, le=2**16)] = 4096
    dimensions: Annotated[int, Field(ge=1, le=2048)] = 256
    ridge: Annotated[float, Field(gt=0, le=100)] = 0.1

    def _learn(self, inputs: Stored) -> Tensors:
        places = inputs.shape[1] * inputs.shape[2]
        total = len(inputs) * places
        random = np.random.default_rng(self.seed)
        usual = np.sort(random.choice(total, min(CANDIDATES // 2, total), replace=False))  # (P,)
        mean, axes = principal_axes(inputs, usual, self.dimensions)  # (C,), (C, D)

        def on_axes(patches: np.ndarray) -> torch.Tensor:
            parts = parts_of(inputs, patches)
            return torch.cat([(part - mean) @ axes for part in parts])  # (n, D)

        seeds = on_axes(np.sort(random.choice(usual, min(SEEDS, len(usual)), replace=False)))
        rows_of = (as_rows(block) for block in blocks(inputs))
        rarity = joined((nearest((rows - mean) @ axes, seeds) for rows in rows_of), total)  # (T,)
        patches = self._candidates(rarity, random)  # (P,)
        rows = on_axes(patches)
        chosen = self._chosen(rows)
        image = torch.from_numpy(patches[chosen] // places)
        return {"mean": mean, "axes": axes, "bank": rows[chosen], "image": image}

    def _candidates(self, rarity: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Patches among which the bank is chosen, by their distance to the seeds: (P,)."""
        return np.sort(prefer(rarity**2, min(CANDIDATES, len(rarity)), random))

    def _chosen(self, rows: torch.Tensor) -> np.ndarray:
        """Which candidates (P, D) make the bank: (M,)."""
        return greedy_coreset(rows, min(self.bank, len(rows)), seed=self.seed)

    def _module(self, learned: Tensors) -> NearestCombination:
        return NearestCombination(learned, self.neighbours, self.ridge)

    @torch.inference_mode()
    def _nominal_maps(self, inputs: Stored) -> Iterator[np.ndarray]:
        """Each image rebuilt from the others: (1, H, W)."""
        for i in range(len(inputs)):
            yield self.model_(torch.from_numpy(inputs[i : i + 1]), without=i).numpy()


def parts_of(features: Stored, patches: np.ndarray) -> Iterator[torch.Tensor]:
    """The patches of some numbers, a part at a time: (n, C)."""
    for start in range(0, len(patches), GATHERED):
        yield gather(features, patches[start : start + GATHERED])


def nearest(rows: torch.Tensor, bank: torch.Tensor) -> np.ndarray:
    """Distance of each row to the nearest of a bank, shape (n,)."""
    return torch.cdist(rows, bank).amin(dim=1).numpy()


def prefer(weights: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Draw numbers without replacement, each time in proportion to the weights left.

    References
    ----------
    Efraimidis, Spirakis, "Weighted random sampling with a reservoir",
    Information Processing Letters 2006: the smallest of exponential waiting times.
    """
    waiting = random.exponential(size=len(weights)) / np.maximum(weights, 1e-12)
    return np.argsort(waiting)[:count]


def principal_axes(
    features: Stored, patches: np.ndarray, dimensions: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (C,) of some patches, and the directions (C, D) in which they vary most."""
    channels = features.shape[-1]
    total = torch.zeros(channels, dtype=torch.float64)
    squares = torch.zeros(channels, channels, dtype=torch.float64)
    for part in parts_of(features, patches):
        total += part.sum(dim=0)
        squares += part.T @ part
    mean = total / len(patches)
    _, vectors = torch.linalg.eigh(squares / len(patches) - mean.outer(mean))  # ascending
    return mean.float(), vectors[:, -dimensions:].float().contiguous()


def rebuilding_errors(
    rows: torch.Tensor, bank: torch.Tensor, neighbours: int, ridge: float
) -> torch.Tensor:
    """How far each row (n, D) stays from the best combination of its nearest in the bank (M, D).

    The weights sum to one; they minimise the squared distance plus `ridge`
    times the mean squared distance of the neighbours times the squared weights.
    """
    count = min(neighbours, len(bank))
    distances = torch.addmm(bank.square().sum(dim=1), rows, bank.T, alpha=-2)  # (n, M), shifted
    nearest = distances.topk(count, largest=False).indices  # (n, k)
    edges = bank[nearest] - rows[:, None]  # (n, k, D)
    gram = edges @ edges.mT  # (n, k, k)
    level = ridge * gram.diagonal(dim1=1, dim2=2).mean(dim=1) + 1e-6  # (n,)
    gram = gram + level[:, None, None] * torch.eye(count)
    weights = torch.linalg.solve_ex(gram, torch.ones_like(edges[..., :1])).result  # (n, k, 1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return (weights * edges).sum(dim=1).norm(dim=1)  # (n,)

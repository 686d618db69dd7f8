"""The arm combined+: every feature vector is rebuilt from its normal neighbours."""

from collections.abc import Iterator

import numpy as np
import torch

from anomalylib.detectors.base import FeatureDetector, Images, Tensors, blocks, joined
from anomalylib.detectors.patchcore import as_rows, gather, greedy_coreset
from anomalylib.errors import UserError
from anomalylib.features.cache import Stored
from anomalylib.features.extractor import FeatureExtractor

SEEDS = 256
"""Patches, taken at random, that tell how rare all others are."""
CANDIDATES = 2**16
"""Patches, rare ones preferred, among which the bank is chosen."""
GATHERED = 2**14
"""Patches in memory at a time, at full length."""
AT_ONCE = 2**19
"""Distances in memory at a time."""


class CombinedPlus(FeatureDetector):
    """Error of rebuilding each feature vector from normal ones that resemble it.

    FeatCAE squeezes every patch through one narrow code, so that what is rare
    among normal patches is rebuilt as badly as what is wrong. Here nothing is
    squeezed: of a bank of normal patches, which covers the rare ones too, the
    nearest few are weighted so that together they come near, with a ridge that
    keeps the weights small, and what is left is the error. With one neighbour
    it is PatchCore's distance.

    Parameters
    ----------
    extractor : FeatureExtractor
    neighbours : int
        k, patches that rebuild one.
    bank : int
        M, normal patches kept.
    dimensions : int
        D, principal axes of the normal patches in which all this is done.
    ridge : float
        What keeps the weights small; see `rebuilding_errors`.
    **settings
        See `Detector`.

    Attributes
    ----------
    bank_ : Tensor, shape (M, D)
        The patches kept, on the axes.
    bank_image_ : Tensor of int, shape (M,)
        The training image each of them comes from.
    mean_, axes_ : Tensor, shape (C,) and (C, D)

    References
    ----------
    The weights are those of Roweis, Saul, "Nonlinear dimensionality reduction
    by locally linear embedding", Science 2000; what they leave is, for one
    class, the distance of Vincent, Bengio, "K-local hyperplane and convex
    distance nearest neighbor algorithms", NIPS 2001. The bank is chosen as in
    Roth et al., CVPR 2022, among patches drawn by squared distance, as seeds in
    Arthur, Vassilvitskii, "k-means++", SODA 2007, but all at once.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        neighbours=10,
        bank=4096,
        dimensions=256,
        ridge=0.1,
        **settings,
    ):
        super().__init__(extractor, **settings)
        self.neighbours = neighbours
        self.ridge = ridge
        self.bank = bank
        self.dimensions = dimensions
        self.learning |= {"of": (bank, dimensions)}

    def _learn(self, images: Images) -> Tensors:
        features = self.features(images)  # (N, H, W, C)
        places = features.shape[1] * features.shape[2]
        total = len(features) * places
        random = np.random.default_rng(self.seed)
        usual = np.sort(random.choice(total, min(CANDIDATES // 2, total), replace=False))  # (P,)
        mean, axes = principal_axes(features, usual, self.dimensions)  # (C,), (C, D)

        def on_axes(patches: np.ndarray) -> torch.Tensor:
            parts = parts_of(features, patches)
            return torch.cat([(part - mean) @ axes for part in parts])  # (n, D)

        seeds = on_axes(np.sort(random.choice(usual, min(SEEDS, len(usual)), replace=False)))
        rarity = joined(
            (nearest((as_rows(each) - mean) @ axes, seeds) for each in blocks(features)), total
        )  # (N*H*W,)
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

    def _take(self, learned: Tensors) -> None:
        self.mean_, self.axes_ = learned["mean"], learned["axes"]  # (C,), (C, D)
        self.bank_, self.bank_image_ = learned["bank"], learned["image"]  # (M, D), (M,)

    def _errors(self, block: np.ndarray, bank: torch.Tensor) -> np.ndarray:
        """Map of a few images: (n, H, W)."""
        rows = (as_rows(block) - self.mean_) @ self.axes_  # (n*H*W, D)
        some = max(1, AT_ONCE // len(bank))
        errors = torch.empty(block.shape[:3])  # (n, H, W)
        for part, found in zip(rows.split(some), errors.view(-1).split(some), strict=True):
            found.copy_(rebuilding_errors(part, bank, self.neighbours, self.ridge))
        return errors.numpy()

    def _maps(self, images: Images) -> Iterator[np.ndarray]:
        return (self._errors(block, self.bank_) for block in blocks(self.features(images)))

    def _nominal_maps(self, images: Images) -> Iterator[np.ndarray]:
        """Each image rebuilt from the others: (1, H, W)."""
        features = self.features(images)  # (N, H, W, C)
        for i in range(len(features)):
            others = self.bank_[self.bank_image_ != i]
            if not len(others):
                raise UserError("all patches kept come from one training image: give more images")
            yield self._errors(features[i : i + 1], others)


def parts_of(features: Stored, patches: np.ndarray) -> Iterator[torch.Tensor]:
    """The patches of some numbers, a part at a time: (n, C)."""
    for start in range(0, len(patches), GATHERED):
        yield gather(features, patches[start : start + GATHERED])


def nearest(rows: torch.Tensor, bank: torch.Tensor) -> np.ndarray:
    """Distance of each row to the nearest of a bank, shape (n,)."""
    return torch.cdist(rows, bank).amin(dim=1).numpy()


def prefer(weights: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Draw numbers without replacement, each time in proportion to the weights left.

    Parameters
    ----------
    weights : ndarray, shape (n,)
    count : int
        At most n.
    random : Generator

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
    """Mean of some patches, and the directions in which they vary most.

    Parameters
    ----------
    features : FileArray or ndarray, shape (N, H, W, C)
    patches : ndarray of int, shape (P,)
        Counted image by image, row by row.
    dimensions : int
        D; all C where that is fewer.

    Returns
    -------
    mean : Tensor, shape (C,)
    axes : Tensor, shape (C, D)
        Orthonormal.
    """
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
    """How far each row stays from the best combination of its nearest bank rows.

    The weights sum to one; they minimise the squared distance plus `ridge`
    times the mean squared distance of the neighbours times the squared weights.

    Parameters
    ----------
    rows : Tensor, shape (n, D)
    bank : Tensor, shape (M, D)
    neighbours : int
        k; all M where that is fewer.
    ridge : float

    Returns
    -------
    Tensor, shape (n,)
    """
    count = min(neighbours, len(bank))
    distances = torch.addmm(bank.square().sum(dim=1), rows, bank.T, alpha=-2)  # (n, M), shifted
    nearest = distances.topk(count, largest=False).indices  # (n, k)
    edges = bank[nearest] - rows[:, None]  # (n, k, D)
    gram = edges @ edges.mT  # (n, k, k)
    level = ridge * gram.diagonal(dim1=1, dim2=2).mean(dim=1) + 1e-6  # (n,)
    gram += level[:, None, None] * torch.eye(count)
    weights = torch.linalg.solve(gram, torch.ones(len(rows), count, 1))  # (n, k, 1)
    weights /= weights.sum(dim=1, keepdim=True)
    return (weights * edges).sum(dim=1).norm(dim=1)  # (n,)

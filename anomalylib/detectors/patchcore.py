"""PatchCore: nearest neighbours of patches in a greedy coreset."""

from collections.abc import Iterator

import numpy as np
import torch
from tqdm import tqdm

from anomalylib.detectors.base import FeatureDetector, Images, Tensors, blocks
from anomalylib.features.cache import Stored
from anomalylib.features.extractor import FeatureExtractor

CANDIDATES = 2**18
"""Patches among which the coreset is chosen; those of 334 images at 224 pixels."""
DIMENSIONS = 128
"""Of the projection in which the coreset is chosen."""
AT_ONCE = 2**23
"""Distances in memory at a time."""


class PatchCore(FeatureDetector):
    """Distance of each patch to its nearest neighbour in a coreset.

    Parameters
    ----------
    extractor : FeatureExtractor
    coreset : float
        Share of the nominal patches kept in the memory bank. Of more than
        `CANDIDATES` patches, the share is taken of a random selection.
    **settings
        See `Detector`.

    Attributes
    ----------
    bank_ : Tensor, shape (M, C)
        The patches kept.
    bank_image_ : Tensor of int, shape (M,)
        The training image each of them comes from.

    References
    ----------
    Roth et al., CVPR 2022. Their score is the largest distance, reweighted;
    here it is aggregated as in the other arms.
    """

    def __init__(self, extractor: FeatureExtractor, *, coreset=0.01, **settings):
        super().__init__(extractor, **settings)
        self.coreset = coreset
        self.learning |= {"coreset": coreset}

    def _learn(self, images: Images) -> Tensors:
        features = self.features(images)  # (N, H, W, C)
        places = features.shape[1] * features.shape[2]
        total = len(features) * places
        if total > CANDIDATES:
            some = np.random.default_rng(self.seed).choice(total, CANDIDATES, replace=False)
            patches = np.sort(some)  # (P,)
        else:
            patches = np.arange(total)
        count = max(1, round(self.coreset * len(patches)))
        rows = projected(features, patches, seed=self.seed)  # (P, D)
        chosen = patches[greedy_coreset(rows, count, seed=self.seed)]
        return {"bank": gather(features, chosen), "image": torch.from_numpy(chosen // places)}

    def _take(self, learned: Tensors) -> None:
        self.bank_, self.bank_image_ = learned["bank"], learned["image"]  # (M, C), (M,)
        self.bank_square_ = self.bank_.square().sum(dim=1)  # (M,)

    def _distances(self, block: np.ndarray, hidden: torch.Tensor | None = None) -> np.ndarray:
        """Map of a few images; `hidden` marks bank rows not to look at."""
        offset = self.bank_square_  # (M,)
        if hidden is not None:
            offset = offset.masked_fill(hidden, torch.inf)
        nearest = torch.empty(block.shape[:3])  # (n, H, W)
        some = max(1, AT_ONCE // len(offset))
        for rows, found in zip(
            as_rows(block).split(some), nearest.view(-1).split(some), strict=True
        ):
            least = torch.addmm(offset, rows, self.bank_.T, alpha=-2).amin(dim=1)  # (n,)
            found.copy_((least + rows.square().sum(dim=1)).clamp_(min=0).sqrt_())  # (n,)
        return nearest.numpy()

    def _maps(self, images: Images) -> Iterator[np.ndarray]:
        """Distance to the nearest patch of the bank: (n, H, W)."""
        return (self._distances(block) for block in blocks(self.features(images)))

    def _nominal_maps(self, images: Images) -> Iterator[np.ndarray]:
        features = self.features(images)  # (N, H, W, C)
        for i in range(len(features)):
            yield self._distances(features[i : i + 1], hidden=self.bank_image_ == i)


def as_rows(block: np.ndarray) -> torch.Tensor:
    """Feature maps (n, H, W, C) as patches (n*H*W, C)."""
    return torch.from_numpy(block).float().flatten(0, 2)


def gather(features: Stored, patches: np.ndarray) -> torch.Tensor:
    """The patches of some numbers, (M, C), of features (N, H, W, C).

    Patches are counted image by image, row by row.
    """
    places = features.shape[1] * features.shape[2]
    rows = torch.empty(len(patches), features.shape[-1])  # (M, C)
    for image in np.unique(patches // places):
        own = np.flatnonzero(patches // places == image)
        rows[own] = as_rows(features[image : image + 1])[patches[own] % places]
    return rows


def projected(features: Stored, patches: np.ndarray, *, seed: int = 0) -> torch.Tensor:
    """The patches of some numbers, in increasing order, in fewer dimensions.

    Parameters
    ----------
    features : FileArray or ndarray, shape (N, H, W, C)
    patches : ndarray of int, shape (P,)
        Counted image by image, row by row.
    seed : int
        Of the random projection; none is made where C is no larger.

    Returns
    -------
    Tensor, shape (P, D)
    """
    channels = features.shape[-1]
    if channels > DIMENSIONS:
        generator = torch.Generator().manual_seed(seed)
        shape = (channels, DIMENSIONS)
        projection = torch.randn(shape, generator=generator) / DIMENSIONS**0.5  # (C, D)
    else:
        projection = torch.eye(channels)
    rows = torch.empty(len(patches), projection.shape[1])  # (P, D)
    first = start = 0
    for block in blocks(features):
        last = first + block[..., 0].size
        stop = np.searchsorted(patches, last)
        rows[start:stop] = (as_rows(block) @ projection)[patches[start:stop] - first]
        first, start = last, stop
    return rows


def greedy_coreset(rows: torch.Tensor, count: int, *, seed: int = 0) -> np.ndarray:
    """Choose rows so that the farthest remaining row is near a chosen one.

    Each step takes the row that is farthest from those already taken
    (k-center greedy).

    Parameters
    ----------
    rows : Tensor, shape (N, D)
        Patches, projected.
    count : int
        Rows to choose, at most N.
    seed : int
        Of the first row.

    Returns
    -------
    ndarray of int, shape (count,)
        Indices in the order they were taken.

    References
    ----------
    Roth et al., "Towards total recall in industrial anomaly detection", CVPR
    2022, section 3.2; Sener, Savarese, ICLR 2018.
    """
    generator = torch.Generator().manual_seed(seed)
    squares = rows.square().sum(dim=1)  # (N,)
    nearest = torch.full((len(rows),), torch.inf)
    taken = torch.randint(len(rows), (1,), generator=generator).item()
    chosen = []
    for _ in tqdm(range(count), desc="coreset", unit="patch", mininterval=1):
        chosen.append(taken)
        distance = squares - 2 * (rows @ rows[taken]) + squares[taken]  # (N,), squared
        nearest = torch.minimum(nearest, distance)
        nearest[taken] = -torch.inf
        taken = nearest.argmax().item()
    return np.array(chosen)

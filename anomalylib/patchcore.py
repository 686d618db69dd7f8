"""PatchCore: nearest neighbours of patches in a greedy coreset."""

import numpy as np
import torch
from tqdm import tqdm

from anomalylib.detectors import BLOCK, FeatureDetector, Images
from anomalylib.extractor import FeatureExtractor


class PatchcoreDetector(FeatureDetector):
    """Distance of each patch to its nearest neighbour in a coreset.

    Parameters
    ----------
    extractor : FeatureExtractor
    coreset : float
        Share of the nominal patches kept in the memory bank.
    **settings
        See `FeatureDetector`.

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

    @staticmethod
    def _patches(block: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(block.astype(np.float32))  # (n, C, H, W)
        return x.permute(0, 2, 3, 1).flatten(0, 2)  # (n*H*W, C)

    def _fit(self, images: Images) -> None:
        features = self.features(images)  # (N, C, H, W)
        rows = self._patches(features)  # (N*H*W, C)
        count = max(1, round(self.coreset * len(rows)))
        chosen = greedy_coreset(rows, count, seed=self.seed)
        self.bank_ = rows[chosen].clone()  # (M, C)
        self.bank_image_ = torch.from_numpy(chosen // (len(rows) // len(features)))  # (M,)

    def _distances(self, block: np.ndarray, hidden: torch.Tensor | None = None) -> np.ndarray:
        """Map of a few images; `hidden` marks bank rows not to look at."""
        distance = torch.cdist(self._patches(block), self.bank_)  # (n*H*W, M)
        if hidden is not None:
            distance[:, hidden] = torch.inf
        return distance.amin(dim=1).view(len(block), *block.shape[2:]).numpy()  # (n, H, W)

    def anomaly_maps(self, images: Images) -> np.ndarray:
        """Distance to the nearest patch of the bank: (N, H, W)."""
        features = self.features(images)  # (N, C, H, W)
        starts = range(0, len(features), BLOCK)
        return np.concatenate([self._distances(features[i : i + BLOCK]) for i in starts])

    def _nominal_maps(self, images: Images) -> np.ndarray:
        features = self.features(images)  # (N, C, H, W)
        maps = [
            self._distances(features[i : i + 1], hidden=self.bank_image_ == i)
            for i in range(len(features))
        ]
        return np.concatenate(maps)  # (N, H, W)


def greedy_coreset(
    rows: torch.Tensor, count: int, *, seed: int = 0, dimensions: int = 128
) -> np.ndarray:
    """Choose rows so that the farthest remaining row is near a chosen one.

    Each step takes the row that is farthest from those already taken
    (k-center greedy), in a random projection to fewer dimensions.

    Parameters
    ----------
    rows : Tensor, shape (N, C)
        Patch features.
    count : int
        Rows to choose, at most N.
    seed : int
        Of the projection and the first row.
    dimensions : int
        Of the projection; none is made where C is no larger.

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
    if rows.shape[1] > dimensions:
        shape = (rows.shape[1], dimensions)
        rows = rows @ (torch.randn(shape, generator=generator) / dimensions**0.5)  # (N, D)
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

"""What all arms of the ablation share: one small interface."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomalylib.detectors.thresholds import Conformal, MeanPlusSigma, Quantile
from anomalylib.errors import UserError
from anomalylib.features import cache
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.sources import code_hash

Images = Sequence[np.ndarray]
Tensors = dict[str, torch.Tensor]
Rule = MeanPlusSigma | Quantile | Conformal
BLOCK = 8  # images per scoring step


def blocks(stored: cache.Stored) -> Iterator[np.ndarray]:
    """All entries, a few at a time: (n, ...)."""
    return (stored[start : start + BLOCK] for start in range(0, len(stored), BLOCK))


def joined(parts: Iterator[np.ndarray], count: int) -> np.ndarray:
    """Parts (n, ...) after each other, `count` entries in all.

    Written into one array as they come: small results that are kept between
    large temporary ones would split the process's free memory, which then grows
    with every block.
    """
    whole, start = None, 0
    for part in parts:
        if whole is None:
            whole = np.empty((count, *part.shape[1:]), part.dtype)
        whole[start : start + len(part)] = part
        start += len(part)
    return whole


def aggregate(maps: np.ndarray, top_k: int) -> np.ndarray:
    """Score of each image: the mean of the `top_k` largest values of its map.

    A map of fewer cells is averaged whole. Shape (N, H, W) to (N,).
    """
    flat = maps.reshape(len(maps), -1)  # (N, H*W)
    k = min(top_k, flat.shape[1])
    return np.partition(flat, -k, axis=1)[:, -k:].mean(axis=1)


def finite(scores: np.ndarray, images: Images) -> np.ndarray:
    """The scores (N,), once they are found to be numbers: NaN is above no threshold.

    Raises
    ------
    UserError
        If one is not: it would pass for normal.
    """
    wrong = np.flatnonzero(~np.isfinite(scores))
    if len(wrong):
        name, value = cache.name_of(images, wrong[0]), scores[wrong[0]]
        said = f"the score of {name} is {value}, no number to judge by"
        raise UserError(f"{said}: give other weights, more images or a lower learning rate")
    return scores


class Detector(ABC):
    """An arm: learns from normal images, scores new ones.

    Images are a sequence of (H, W, 3) `uint8` arrays of any size; each arm
    resizes and normalises them itself. Scores are higher for more anomalous
    images, the opposite of scikit-learn's `score_samples`.

    Parameters
    ----------
    top_k : int
        The score is the mean of the `top_k` largest map values.
    sigma : float
        The threshold is mean + `sigma` deviations of the nominal scores.
    seed : int
        Of every random choice.
    cache_folder : Path
        Where what is computed of an `ImageSet` is kept.
    keep : bool
        Whether what is learned of an `ImageSet` is kept there too, and read
        back where the same is to be learned again.

    Attributes
    ----------
    nominal_scores_ : ndarray, shape (N,)
        Scores of the training images. Arms that keep training data judge each
        training image without its own.
    threshold_ : float
        Scores above it are called anomalous.
    rule_ : MeanPlusSigma, Quantile or Conformal
        Where the threshold comes from.
    learned_ : dict of str to Tensor
        All that judging needs besides the settings.
    """

    def __init__(
        self,
        *,
        top_k: int = 10,
        sigma: float = 3.0,
        seed: int = 0,
        cache_folder: Path = cache.FOLDER,
        keep: bool = True,
    ):
        self.keep = keep
        self.learning: dict[str, Any] = {}
        self.top_k = top_k
        self.sigma = sigma
        self.seed = seed
        self.cache_folder = cache_folder

    def fit(self, images: Images) -> "Detector":
        """Learn from normal images only."""
        if len(images) < 2:
            raise UserError(f"{len(images)} training images: at least 2 are needed")
        said = self._said(images)
        if said is None:
            learned = self._learn(images)
        else:
            learned = cache.learned(said, lambda: self._learn(images), self.cache_folder)
        self.learned_ = learned
        self._take(learned)
        self.images_ = images
        self.nominal_scores_ = self._scores(self._nominal_maps(images), images)
        return self.calibrate(MeanPlusSigma(sigma=self.sigma), self.nominal_scores_)

    def calibrate(self, rule: Rule, nominal_scores: np.ndarray) -> "Detector":
        """Let another rule set the threshold, from scores (N,) of normal images.

        A rule such as `Conformal` wants images that were not learned from.
        """
        self.rule_ = rule.fit(nominal_scores)
        self.threshold_ = rule.threshold_
        return self

    def save(self, path: str | Path) -> Path:
        """Write the fitted detector to a file; see `anomalylib.deploy.saving`."""
        from anomalylib.deploy.saving import save  # which knows all arms

        return save(self, Path(path))

    def _said(self, images: Images) -> str | None:
        """All that learning depends on; None where it is not to be kept."""
        fingerprint = getattr(images, "fingerprint", None)
        if not self.keep or fingerprint is None:
            return None
        arm, settings = type(self).__name__, sorted(self.learning.items())
        said = f"{arm} {settings} {self.seed} {torch.get_num_threads()} {fingerprint}"
        return f"{said} {cache.code()} {code_hash(type(self).__module__)}"

    @abstractmethod
    def _learn(self, images: Images) -> Tensors:
        """What is learned, by name: the slow part."""

    @abstractmethod
    def _take(self, learned: Tensors) -> None:
        """Set the attributes that judging needs: the quick part."""

    @property
    @abstractmethod
    def side(self) -> int:
        """Pixels a side to which images are brought."""

    @abstractmethod
    def embed(self, images: Images) -> np.ndarray:
        """A vector for each image, (N, D): near ones look alike to the arm."""

    @abstractmethod
    def _maps(self, images: Images) -> Iterator[np.ndarray]:
        """Anomaly maps, a few images at a time: (n, H, W)."""

    def _nominal_maps(self, images: Images) -> Iterator[np.ndarray]:
        """Maps of the training images, for the threshold."""
        return self._maps(images)

    def _scores(self, maps: Iterator[np.ndarray], images: Images) -> np.ndarray:
        scores = joined((aggregate(each, self.top_k) for each in maps), len(images))
        return finite(scores, images)

    def anomaly_maps(self, images: Images) -> np.ndarray:
        """How anomalous each place is: (N, H, W) on the arm's own grid."""
        return joined(self._maps(images), len(images))

    def score_samples(self, images: Images) -> np.ndarray:
        """Score of each image, shape (N,): its map, aggregated."""
        return self._scores(self._maps(images), images)

    def predict(self, images: Images) -> np.ndarray:
        """Whether each image is anomalous, shape (N,), bool."""
        return self.score_samples(images) > self.threshold_


class FeatureDetector(Detector):
    """What the arms on pretrained features share.

    Parameters
    ----------
    extractor : FeatureExtractor
    **settings
        See `Detector`.
    """

    def __init__(self, extractor: FeatureExtractor, **settings):
        super().__init__(**settings)
        self.extractor = extractor
        self.learning = {"features": extractor.key}

    def features(self, images: Images) -> cache.Stored:
        """Feature maps, channels last: (N, H, W, C), float16."""
        return cache.features_of(self.extractor, images, self.cache_folder)

    @property
    def side(self) -> int:
        """Pixels a side to which images are brought."""
        return self.extractor.image_size

    def pooled(self, images: Images) -> torch.Tensor:
        """Mean feature vector of each image, (N, C)."""
        features = self.features(images)  # (N, H, W, C)
        means = (torch.from_numpy(block).float().mean(dim=(1, 2)) for block in blocks(features))
        return torch.from_numpy(joined((m.numpy() for m in means), len(features)))  # (N, C)

    def embed(self, images: Images) -> np.ndarray:
        """The mean feature vector of each image, (N, C)."""
        return self.pooled(images).numpy()

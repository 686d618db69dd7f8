"""The learning curve: an arm fitted on few normal images and on more, each time judged alike.

The training images that an arm has not learned from are new normal images: at
its threshold they say honestly how often it would raise a false alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from anomalylib.detectors.base import Detector
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.combined_plus import CombinedPlus
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled
from anomalylib.errors import UserError
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.files import written_whole
from anomalylib.images.category import Category, ImageSet, Subset
from anomalylib.metrics import image as metrics
from study.settings import LearningCurveSettings

DETECTORS = {
    "resnet": Pooled,
    "combined": Combined,
    "patchcore": PatchCore,
    "combined_plus": CombinedPlus,
}


@dataclass(frozen=True)
class Judged:
    """What an arm that has learned from some of the training images gave.

    Parameters
    ----------
    threshold : float
        From the scores of the images that it has learned from.
    nominal_scores : ndarray, shape (n,)
        Of those.
    unlearned_scores : ndarray, shape (M - n,)
        Of the other training images.
    scores, labels : ndarray, shape (N,)
        Of the test images; 0 for normal, 1 for anomalous.
    """

    threshold: float
    nominal_scores: np.ndarray
    unlearned_scores: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def row(self) -> dict[str, Any]:
        """The figures of it, for a table.

        ``auroc`` is not a number where the test images are not of both kinds.
        """
        both = set(self.labels.tolist()) == {0, 1}
        called = self.scores > self.threshold
        return {
            "images": len(self.nominal_scores),
            "train_images": len(self.nominal_scores) + len(self.unlearned_scores),
            "auroc": metrics.auroc(self.labels, self.scores) if both else np.nan,
            "threshold": self.threshold,
            "n_unlearned": len(self.unlearned_scores),
            "unlearned_alarms": int((self.unlearned_scores > self.threshold).sum()),
            "n_normal": int((self.labels == 0).sum()),
            "false_alarms": int(called[self.labels == 0].sum()),
            "n_anomalous": int((self.labels == 1).sum()),
            "hits": int(called[self.labels == 1].sum()),
        }


def divide(train: ImageSet, images: int, seed: int) -> tuple[Sequence[np.ndarray], Subset]:
    """Some training images, drawn at random, and the others.

    Subsets of one seed are nested: the ten are among the twenty.

    Parameters
    ----------
    train : ImageSet
    images : int
        How many to learn from; all give `train` itself.
    seed : int

    Returns
    -------
    learned, unlearned : ImageSet or Subset, and Subset
        In the order of `train`.

    Raises
    ------
    UserError
        If there are fewer.
    """
    if images > len(train):
        raise UserError(f"{images} of {len(train)} training images in {train.folder}: ask fewer")
    order = np.random.default_rng(seed).permutation(len(train))
    unlearned = Subset(train, np.sort(order[images:]))
    if images == len(train):
        return train, unlearned
    return Subset(train, np.sort(order[:images])), unlearned


def judge(detector: Detector, category: Category, images: int, seed: int) -> Judged:
    """Fit an arm on some of the training images; score the others and the test images.

    Parameters
    ----------
    detector : Detector
        Not fitted yet.
    category : Category
    images : int
        How many training images it learns from.
    seed : int
        Of which; see `divide`.
    """
    learned, unlearned = divide(category.train, images, seed)
    detector.fit(learned)
    return Judged(
        threshold=detector.threshold_,
        nominal_scores=detector.nominal_scores_,
        unlearned_scores=detector.score_samples(unlearned) if len(unlearned) else np.empty(0),
        scores=detector.score_samples(category.test),
        labels=category.test.labels,
    )


def sizes_up_to(total: int, sizes: Sequence[int]) -> list[int]:
    """The sizes below `total`, ascending, and `total` itself."""
    return sorted({size for size in sizes if size < total} | {total})


def follow(
    extractor: FeatureExtractor, category: Category, settings: LearningCurveSettings
) -> pd.DataFrame:
    """The learning curve of one arm on one category, several subsets a size.

    Parameters
    ----------
    extractor : FeatureExtractor
    category : Category
        Without anomalous test images there is no AUROC.
    settings : LearningCurveSettings
        Its seed is that of the first subset and training.

    Returns
    -------
    DataFrame
        One row a size and seed; the columns of `Judged.row`.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    shared = settings.model_dump(include={"top_k", "sigma"})
    own = {"category": category.name, "arm": settings.arm, "backbone": extractor.backbone.name}
    sizes = sizes_up_to(len(category.train), settings.asked)
    seeds = range(settings.seed, settings.seed + settings.repeats)
    fits = [(images, seed) for seed in seeds for images in sizes]
    rows = []
    for images, seed in tqdm(fits, desc="learning curve", unit="fit"):
        detector = DETECTORS[settings.arm](extractor, seed=seed, **shared)
        rows.append(own | {"seed": seed} | judge(detector, category, images, seed).row())
    return pd.DataFrame(rows)


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table whole; nine digits keep every float32 apart."""
    with written_whole(path) as beside:
        table.to_csv(beside, index=False, float_format="%.9g", lineterminator="\n")

"""The learning curve: a model fitted on few normal images and on more, each time scored alike.

The training images that a detector has not learned from are new normal images:
at its threshold they tell how often it would raise a false alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from anomalylib.detectors.registry import DETECTORS
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.images.category import Category
from anomalylib.metrics.image import auroc
from study.checkout import FEATURES
from study.runs.measurement import divide
from study.runs.writing import write_table as write_table  # by which the notebook writes it

if TYPE_CHECKING:
    from anomalylib.detectors.base import Detector
    from study.settings import LearningCurveSettings


@dataclass(frozen=True)
class Scored:
    """What a detector that has learned from some of the training images gave.

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
            "auroc": auroc(self.labels, self.scores) if both else np.nan,
            "threshold": self.threshold,
            "n_unlearned": len(self.unlearned_scores),
            "unlearned_alarms": int((self.unlearned_scores > self.threshold).sum()),
            "n_normal": int((self.labels == 0).sum()),
            "false_alarms": int(called[self.labels == 0].sum()),
            "n_anomalous": int((self.labels == 1).sum()),
            "hits": int(called[self.labels == 1].sum()),
        }


def fit_some(detector: "Detector", category: Category, images: int, seed: int) -> Scored:
    """Fit on some of the training images; score the others and the test images.

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
    learned_from, unlearned = divide(category.train, images, seed)
    detector.fit(learned_from)
    return Scored(
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
    features: FeatureExtractor, category: Category, settings: "LearningCurveSettings"
) -> pd.DataFrame:
    """The learning curve of one model on one category, several subsets a size.

    Parameters
    ----------
    features : FeatureExtractor
    category : Category
        Without anomalous test images there is no AUROC.
    settings : LearningCurveSettings
        Its seed is that of the first subset and training.

    Returns
    -------
    DataFrame
        One row a size and seed; the columns of `Scored.row`.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    shared = settings.model_dump(include={"top_k", "sigma"}) | {"cache": FEATURES}
    first = {"category": category.name, "arm": settings.arm, "backbone": features.backbone.name}
    sizes = sizes_up_to(len(category.train), settings.asked)
    seeds = range(settings.seed, settings.seed + settings.repeats)
    fits = [(images, seed) for seed in seeds for images in sizes]
    rows = []
    for images, seed in tqdm(fits, desc="learning curve", unit="fit"):
        detector = DETECTORS[settings.arm](features, seed=seed, **shared)
        rows.append(first | {"seed": seed} | fit_some(detector, category, images, seed).row())
    return pd.DataFrame(rows)

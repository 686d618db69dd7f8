"""The learning curve: a model fitted on few normal images and on more, each time scored alike.

The training images that a detector has not learned from are new normal images:
at its threshold they tell how often it would raise a false alarm.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from anomalylib.detectors.registry import DETECTORS
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.images.category import Category
from anomalylib.metrics.image import auroc, confusion
from study.checkout import FEATURES
from study.runs.measurement import divide
from study.runs.writing import write_table as write_table  # as the notebook does

if TYPE_CHECKING:
    from study.settings import Checked


def figures(
    threshold: float,
    normal_scores: Sequence[float],  # of the training images that were learned from
    unlearned_scores: Sequence[float],  # of the other training images
    scores: Sequence[float],  # of the test images
    labels: Sequence[int],  # of those; ``auroc`` is not a number where they are all alike
) -> dict[str, Any]:
    """What a table has of a detector that has learned from some of the training images."""
    counts = confusion(np.array(labels), np.array(scores), threshold)
    return {
        "images": len(normal_scores),
        "train_images": len(normal_scores) + len(unlearned_scores),
        "auroc": auroc(np.array(labels), np.array(scores)),
        "threshold": threshold,
        "n_unlearned": len(unlearned_scores),
        "unlearned_alarms": int((np.array(unlearned_scores) > threshold).sum()),
        "n_normal": counts.true_normal + counts.false_alarm,
        "false_alarms": counts.false_alarm,
        "n_anomalous": counts.miss + counts.hit,
        "hits": counts.hit,
    }


def sizes_up_to(total: int, sizes: Sequence[int]) -> list[int]:
    """The sizes below `total`, ascending, and `total` itself."""
    return sorted({size for size in sizes if size < total} | {total})


def follow(features: FeatureExtractor, category: Category, settings: "Checked") -> pd.DataFrame:
    """The learning curve of one model on one category: a row a size and seed, from the first on."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    shared = settings.model_dump(include={"top_k", "sigma"}) | {"cache": FEATURES}
    which = {"category": category.name, "model": settings.model, "backbone": features.backbone.name}
    test = category.test
    seeds = range(settings.seed, settings.seed + settings.repeats)
    sizes = sizes_up_to(len(category.train), [int(size) for size in settings.sizes.split(",")])
    fits = [(size, seed) for seed in seeds for size in sizes]
    rows = []
    for images, seed in tqdm(fits, desc="learning curve", unit="fit"):
        learned_from, unlearned = divide(category.train, images, seed)
        detector = DETECTORS[settings.model](features, seed=seed, **shared).fit(learned_from)
        new = detector.score_samples(unlearned) if len(unlearned) else ()
        training = (detector.threshold_, detector.normal_scores_, new)
        counted = figures(*training, detector.score_samples(test), test.labels)
        rows.append(which | {"seed": seed} | counted)
    return pd.DataFrame(rows)

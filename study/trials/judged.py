"""A detector judged for a trial: by pasted defects, by the test images, by rarity."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from anomalylib.detectors.base import FeatureDetector, Images, aggregate
from anomalylib.detectors.combined import Combined
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import Category, Subset, load_category
from anomalylib.metrics import image as metrics
from study.runs.controls import grey_matched
from study.runs.measurement import split_off
from study.trials.alternatives import ClusteredDetector
from study.trials.pasted_defects import PastedImages, aurocs
from study.trials.rarity import by_rarity, rarity_of

SQUARED = (Combined, ClusteredDetector)
"""Detectors whose maps are squared lengths."""


class Trial(NamedTuple):
    """One way to judge patches.

    Parameters
    ----------
    family, name : str
        What a page calls it.
    make : callable
        Its detector.
    image_size : int
    settings : dict
        Of the detector, where they differ from the defaults.
    """

    family: str
    name: str
    make: Callable[..., FeatureDetector]
    image_size: int
    settings: dict[str, Any]


def judge(
    trial: Trial, category: str, data_root: str, weights: tuple[str, str, str], kept: Path
) -> dict[str, Any]:
    """AUROC on pasted defects and on the test images, as they are and grey-matched.

    The detector has learned from four fifths of the training images; on those
    left the defects are pasted.

    Parameters
    ----------
    trial : Trial
    category, data_root : str
    weights : tuple of str
        Name, file and layers of the backbone.
    kept : Path
        Where features are kept, to be shared by trials of one image size.

    Returns
    -------
    dict
        ``pasted``, the mean of ``by_kind``; ``plain`` and ``grey_matched``; and
        ``by_rarity``, the rows of `study.trials.rarity.by_rarity`.
    """
    found = images_of(data_root, category)
    extractor = FeatureExtractor(resolve_backbone(*weights), image_size=trial.image_size)
    own = trial.settings | {"keep": False, "cache_folder": kept}
    detector = trial.make(extractor, **own).fit(found.learned_from)
    by_kind = aurocs(detector.score_samples(found.pasted), found.pasted.kinds)
    test = found.category.test
    maps = detector.anomaly_maps(test)  # (N, H, W)
    errors = np.sqrt(maps) if isinstance(detector, SQUARED) else maps
    rarity = rarity_of(detector.features(test), detector.features(found.learned_from))
    return {
        "pasted": float(np.mean(list(by_kind.values()))),
        "plain": metrics.auroc(test.labels, aggregate(maps, detector.top_k)),
        "grey_matched": metrics.auroc(test.labels, detector.score_samples(found.matched)),
        "by_kind": by_kind,
        "by_rarity": by_rarity(rarity, errors, found.category),
    }


class TrialImages(NamedTuple):
    """What a trial learns from, and what judges it."""

    category: Category
    learned_from: Subset
    pasted: PastedImages
    matched: Images


@functools.cache
def images_of(data_root: str, name: str) -> TrialImages:
    """Four fifths of the training images, defects on the others, and the test images matched."""
    category = load_category(data_root, name)
    rest, held_out = split_off(category, seed=0)
    matched = grey_matched(category).test
    return TrialImages(category, rest.train, PastedImages(held_out), matched)

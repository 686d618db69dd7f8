"""A model fitted and scored on a category, timed: the work that several benchmarks share."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from sklearn.metrics import roc_auc_score

from anomalylib.detectors.base import Detector
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import Category, ImageSet, load_category
from study.names import MODELS
from study.runs.measurement import make_detector
from study.settings import make_settings
from tests.benchmarks.common import Row, Setup

__all__ = ["MODELS", "build", "fit_and_score", "images", "load"]


def build(setup: Setup, model: str, changes: dict[str, Any], folder: Path) -> Detector:
    """A model as the study makes it, its files in a folder of the benchmark's own."""
    small = {"autoencoder": {"epochs": 1}, "combined": {"epochs": 1}}.get(model, {})
    on_processor = {"device": "cpu"} | changes | (small if setup.quick else {})
    settings = make_settings(model, on_processor)
    on_features = model != "autoencoder"
    backbone = resolve_backbone("auto", setup.weights, setup.layers) if on_features else None
    return make_detector(model, settings, backbone).set_params(cache=folder)


def load(setup: Setup, name: str) -> Category:
    """A category of the setup."""
    return load_category(setup.data_root, name)


def images(whole: ImageSet, numbers: Iterable[int]) -> ImageSet:
    """Some images of a set, as a set of its own; one may come several times."""
    numbers = list(numbers)
    paths = tuple(whole.paths[i] for i in numbers)
    kinds, masks = (tuple(of[i] for i in numbers) for of in (whole.defect_types, whole.masks))
    return ImageSet(whole.folder, paths, kinds, masks)


def fit_and_score(
    setup: Setup,
    name: str,
    model: str,
    threads: int,
    folder: Path,
    changes: dict[str, Any],
    keep: bool = False,
    count: int | None = None,
) -> Row:
    """Seconds to learn a category and to score its test images, from files to scores."""
    torch.set_num_threads(threads)
    category = load(setup, name)
    train = images(category.train, range(count or len(category.train)))
    start = time.perf_counter()
    detector = build(setup, model, changes, folder).set_params(keep=keep)
    detector.fit(train)
    fitted = time.perf_counter()
    scores = detector.score_samples(category.test)
    done = time.perf_counter()
    return {
        "category": name,
        "model": model,
        "threads": threads,
        "fit": fitted - start,
        "score": done - fitted,
        "images": [len(train), len(category.test)],
        "auroc": float(roc_auc_score(category.test.labels, scores)),
    }

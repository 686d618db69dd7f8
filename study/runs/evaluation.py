"""An arm fitted and judged on one category, with everything noted."""

import platform
import time
from datetime import UTC, datetime
from importlib import metadata

import numpy as np
import torch

from anomalylib.detectors.base import Detector, aggregate, finite
from anomalylib.images.category import Category, mean_grey
from study.settings import ArmSettings
from study.tables.results import Result

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scikit-learn", "pillow")


def evaluate(
    detector: Detector, category: Category, settings: ArmSettings, arm: str
) -> tuple[Result, np.ndarray]:
    """Fit an arm on a category, score the test images, and note everything.

    Parameters
    ----------
    detector : Detector
        Not fitted yet.
    category : Category
    settings : ArmSettings
        Kept with the result.
    arm : str
        The arm's name.

    Returns
    -------
    result : Result
    maps : ndarray, shape (N, H, W)
        Anomaly maps of the test images.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    start = time.perf_counter()
    detector.fit(category.train)
    fitted = time.perf_counter()
    maps = detector.anomaly_maps(category.test)
    scores = finite(aggregate(maps, detector.top_k), category.test)
    done = time.perf_counter()
    extractor = getattr(detector, "extractor", None)
    not_theirs = {"weights", "data_root", "results_dir"}  # folders of one machine
    result = Result(
        category=category.name,
        arm=arm,
        dataset=category.dataset,
        seed=settings.seed,
        synthetic=category.synthetic,
        settings=settings.model_dump(exclude=not_theirs),
        backbone=None if extractor is None else extractor.backbone.describe(),
        fingerprint=category.fingerprint,
        names=category.test.names,
        defect_types=list(category.test.defect_types),
        labels=category.test.labels.tolist(),
        scores=scores.tolist(),
        mean_grey=mean_grey(category.test).tolist(),
        nominal_scores=detector.nominal_scores_.tolist(),
        threshold=detector.threshold_,
        seconds={"fit": fitted - start, "score": done - fitted},
        versions={"python": platform.python_version()}
        | {name: metadata.version(name) for name in PACKAGES},
        machine=f"{platform.machine()}, {torch.get_num_threads()} threads",
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return result, maps

"""One run of one arm, measured from every side the study reports."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.base import Detector, aggregate
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.combined_plus import CombinedPlus
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import Category, Subset, load_category
from anomalylib.metrics.pixel import SIZE, au_pro, enlarge, pixel_auroc
from study.runs.controls import grey_matched, random_resnet50
from study.runs.evaluation import evaluate
from study.settings import ArmSettings, make_settings
from study.tables.results import Result

PLAIN, GREY, HELD_OUT, UNTRAINED = "plain", "grey-matched", "held-out", "untrained"
LARGER = "384 pixels"
SHARE = 0.2  # of the training images, held out in the variant of that name
LARGEST = (1, 3, 10, 30, 100, 300)  # map values averaged for a score
WATCHED = (1, 2, 5, 10, 20, 30, 40)  # epochs at which the autoencoder is looked at


class Run(BaseModel):
    """What to run: everything that a measurement depends on but the data.

    Parameters
    ----------
    category, arm : str
    backbone : str
        One of the names that the study gives to its weights; empty for the
        autoencoder.
    seed : int
    variant : str
        ``"plain"``; ``"grey-matched"``: every image rescaled to one mean grey;
        ``"held-out"``: fitted without a fifth of the training images, which
        then give nominal scores; ``"untrained"``: random backbone weights;
        ``"384 pixels"``: with `changes` to the image size of combined+.
    changes : dict
        Settings that differ from the defaults.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    arm: str
    backbone: str = ""
    seed: int = 0
    variant: str = PLAIN
    changes: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """A file name of its own."""
        changes = [f"{key}={value}" for key, value in sorted(self.changes.items())]
        parts = [self.category, self.variant, self.arm, self.backbone, *changes, f"seed{self.seed}"]
        return "-".join(part for part in parts if part).replace("/", "_")


class Measurement(BaseModel):
    """What a run gave.

    Parameters
    ----------
    run : Run
    result : Result
        Its scores are the mean of the `top_k` largest map values.
    scores_by_k : dict of str to list of float
        Of the test images by other aggregations: the mean of the k largest map
        values, from ``"1"``, the largest, to ``"all"``, the mean of the map.
    held_out_scores : list of float
        Of the training images that were held out, if any.
    pixel_auroc, au_pro : float or None
        Against the masks; None where the map has one cell or masks are missing.
    watched : list of dict
        Scores of the test images along the training of the autoencoder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Run
    result: Result
    scores_by_k: dict[str, list[float]]
    held_out_scores: list[float]
    pixel_auroc: float | None
    au_pro: float | None
    watched: list[dict[str, Any]]


def measure(
    run: Run, data_root: str, weights: tuple[str, str, str], scratch: Path
) -> tuple[Measurement, np.ndarray]:
    """Fit and judge one arm, on one thread.

    Parameters
    ----------
    run : Run
    data_root : str
        Folder of the categories.
    weights : tuple of str
        Name, file and layers of the backbone, for `resolve_backbone`.
    scratch : Path
        Where untrained weights are put.

    Returns
    -------
    measurement : Measurement
    maps : ndarray, shape (N, H, W)
        Anomaly maps of the test images.
    """
    category = load_category(data_root, run.category)
    if run.variant == GREY:
        category = grey_matched(category)
    own = {"category": run.category, "seed": run.seed, "threads": 1, "data_root": data_root}
    settings = make_settings(run.arm, own | run.changes)
    detector = make_detector(run, settings, weights, scratch)
    watched: list[dict[str, Any]] = []
    if run.arm == "autoencoder" and run.variant == PLAIN and not run.changes:
        detector.on_epoch = _watcher(category, watched)
    held_out = None
    if run.variant == HELD_OUT:
        category, held_out = split_off(category, run.seed)
    result, maps = evaluate(detector, category, settings, run.arm)
    cells = maps[0].size
    by_k = {str(k): aggregate(maps, k).tolist() for k in LARGEST if k < cells}
    by_k["all"] = aggregate(maps, cells).tolist()
    whole = run.variant in (PLAIN, GREY) and not run.changes
    pixel, overlap = _pixel_metrics(category, maps) if whole else (None, None)
    measurement = Measurement(
        run=run,
        result=result,
        scores_by_k=by_k,
        held_out_scores=[] if held_out is None else detector.score_samples(held_out).tolist(),
        pixel_auroc=pixel,
        au_pro=overlap,
        watched=watched,
    )
    return measurement, maps


def make_detector(
    run: Run, settings: ArmSettings, weights: tuple[str, str, str], scratch: Path
) -> Detector:
    """The arm of a run, not fitted yet."""
    shared = settings.model_dump(include={"top_k", "sigma", "seed"})
    shared["keep"] = False  # what learning takes is measured too
    if run.arm == "autoencoder":
        learning = settings.model_dump(include={"code", "epochs", "learning_rate", "batch_size"})
        return Autoencoder(image_size=settings.autoencoder_size, **learning, **shared)
    name, file, layers = weights
    layers = run.changes.get("layers", layers)
    chosen = ""
    if run.variant == UNTRAINED:
        file, chosen = str(random_resnet50(scratch, run.seed)), f"untrained, seed {run.seed}"
    backbone = resolve_backbone(name, file, layers, chosen)
    taken = settings.model_dump(include={"image_size", "pool_padding", "normalise", "precision"})
    extractor = FeatureExtractor(backbone, **taken)
    if run.arm == "resnet":
        return Pooled(extractor, **shared)
    if run.arm == "patchcore":
        return PatchCore(extractor, coreset=settings.coreset, **shared)
    if run.arm == "combined_plus":
        own = settings.model_dump(include={"neighbours", "bank", "dimensions", "ridge"})
        return CombinedPlus(extractor, **own, **shared)
    learning = {"latent", "batch_norm", "scale", "epochs", "learning_rate", "batch_size"}
    return Combined(extractor, **settings.model_dump(include=learning), **shared)


def split_off(category: Category, seed: int, share: float = SHARE) -> tuple[Category, Subset]:
    """Take a random share of the training images away, to judge with.

    Returns
    -------
    category : Category
        With the other training images.
    held_out : Subset
    """
    order = np.random.default_rng(seed).permutation(len(category.train))
    count = max(1, round(share * len(order)))
    held_out = Subset(category.train, np.sort(order[:count]))
    rest = Subset(category.train, np.sort(order[count:]))
    return replace(category, train=rest), held_out


def _watcher(category: Category, watched: list[dict[str, Any]]):
    """Note the test scores at some epochs; nothing is decided by them."""

    def watch(epoch: int, detector: Detector) -> None:
        if epoch in WATCHED:
            maps = detector.anomaly_maps(category.test)
            scores = {"top": aggregate(maps, detector.top_k), "all": maps.mean(axis=(1, 2))}
            watched.append({"epoch": epoch} | {key: own.tolist() for key, own in scores.items()})

    return watch


def _pixel_metrics(category: Category, maps: np.ndarray) -> tuple[float | None, float | None]:
    """Pixel AUROC and AU-PRO, where there are places and masks."""
    masks = [category.test.mask(i, SIZE) for i in range(len(category.test))]
    if maps[0].size == 1 or any(mask is None for mask in masks):
        return None, None
    large, truth = enlarge(maps), np.stack(masks)  # (N, S, S) each
    return pixel_auroc(large, truth), au_pro(large, truth)

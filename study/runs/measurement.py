"""One run of one model on one category, and all that the study reports of it."""

import platform
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from anomalylib.detectors.blocks import aggregate
from anomalylib.detectors.registry import DETECTORS
from anomalylib.devices import describe_device
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import Backbone, resolve_backbone
from anomalylib.images.category import Category, ImageSet, Subset, mean_grey
from anomalylib.metrics.pixel import SIZE, au_pro, enlarge, pixel_auroc
from anomalylib.parameters import parameters_of
from study.checkout import FEATURES
from study.names import LARGER_HELD_OUT, NORMALISED
from study.runs.controls import brightness_normalised, random_resnet50
from study.settings import Checked, make_settings
from study.tables.results import Result

if TYPE_CHECKING:
    from anomalylib.detectors.base import Detector

PLAIN, HELD_OUT, UNTRAINED = "plain", "held-out", "untrained"
SHARE = 0.2  # of the training images, held out in the variant of that name
LARGEST = (1, 3, 10, 30, 100, 300)  # map values averaged for a score
WATCHED = (1, 2, 5, 10, 20, 30, 40)  # epochs at which the autoencoder is looked at
PACKAGES = ("torch", "torchvision", "timm", "numpy", "scikit-learn", "pillow")
OF_ONE_MACHINE = {"weights", "data_root", "results_dir", "device"}  # say nothing elsewhere


class Run(BaseModel):
    """What to run: everything that a measurement depends on but the data.

    Variants: "plain"; "brightness-normalised", every image rescaled to one mean grey;
    "held-out", fitted without a fifth of the training images, which then give scores to learn from;
    "untrained", with a ResNet-50 of random weights, layer2 and layer3; "384 pixels", with
    `changes` to the image size, "384 pixels held-out" likewise; the name of a layer, with it alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    model: str
    backbone: str = ""  # a name that the study gives to weights; empty for the autoencoder
    seed: int = 0
    variant: str = PLAIN
    images: int = 0  # of the training images, to learn from, the others being scored; 0 for all
    changes: dict[str, Any] = {}  # settings that differ from the defaults

    @property
    def name(self) -> str:
        """A file name of its own."""
        changes = [f"{key}={value}" for key, value in sorted(self.changes.items())]
        images = f"{self.images}-images" if self.images else ""
        parts = [self.category, self.variant, self.model, self.backbone, images, *changes]
        return "-".join(part for part in [*parts, f"seed{self.seed}"] if part).replace("/", "_")

    @property
    def module(self) -> str:
        """The module of its detector."""
        return DETECTORS.module(self.model)

    @property
    def depends_on(self) -> dict[str, Any]:
        """What its measurement depends on besides images, weights and code."""
        return self.model_dump() | {
            "settings": make_settings(self.model, self.changes).model_dump()
        }


class Measurement(BaseModel):
    """What a run gave."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Run
    result: Result  # its scores are the mean of the `top_k` largest map values
    # Of the test images, the mean of the k largest map values: "1" to "all", the whole map.
    scores_by_k: dict[str, list[float]]
    held_out_scores: list[float]  # of the training images that were not learned from, if any
    pixel_auroc: float | None  # None, as below, where the map has one cell or masks are missing
    au_pro: float | None
    watched: list[dict[str, Any]]  # test scores along the training of the autoencoder


def measure(
    run: Run, category: Category, backbone: Backbone | None, folder: Path
) -> tuple[Measurement, np.ndarray]:
    """Fit a model on one thread, untrained weights kept in the folder; test maps are (N, H, W)."""
    given = {"category": run.category, "seed": run.seed, "threads": 1, "device": "cpu"}
    settings = make_settings(run.model, given | run.changes)
    torch.set_num_threads(settings.threads)
    if run.variant == UNTRAINED:
        file, chosen = random_resnet50(folder, run.seed), f"untrained, seed {run.seed}"
        backbone = resolve_backbone("resnet50", str(file), "layer2,layer3", chosen)
    if layers := run.changes.get("layers"):
        backbone = replace(backbone, layers=tuple(layers.split(",")))
    if run.variant == NORMALISED:
        category = brightness_normalised(category)
    detector = make_detector(run.model, settings, backbone)
    default = run.variant == PLAIN and not run.images and not run.changes
    watched: list[dict[str, Any]] = []
    if run.model == "autoencoder" and default:
        detector.on_epoch = _watcher(category, watched)
    held_out: Subset | tuple = ()
    if run.variant in (HELD_OUT, LARGER_HELD_OUT):
        category, held_out = split_off(category, run.seed)
    if run.images:
        learned_from, held_out = divide(category.train, run.images, run.seed)
        category = replace(category, train=learned_from)
    detector.fit(category.train)
    maps = detector.anomaly_maps(category.test)  # (N, H, W)
    cells = maps[0].size
    scores_by_k = {str(k): aggregate(maps, k).tolist() for k in LARGEST if k < cells}
    compared = default or (run.variant == NORMALISED and not run.changes)
    pixel, overlap = _pixel_metrics(category, maps) if compared else (None, None)
    measurement = Measurement(
        run=run,
        result=record(detector, category, maps, settings),
        scores_by_k=scores_by_k | {"all": aggregate(maps, cells).tolist()},
        held_out_scores=detector.score_samples(held_out).tolist() if len(held_out) else [],
        pixel_auroc=pixel,
        au_pro=overlap,
        watched=watched,
    )
    return measurement, maps


def make_detector(model: str, settings: Checked, backbone: Backbone | None) -> "Detector":
    """The detector of a model, not fitted yet; what learning takes is measured too."""
    kind = DETECTORS[model]
    surroundings = {"cache": FEATURES, "keep": False}
    arguments = settings.model_dump(include=set(parameters_of(kind))) | surroundings
    if backbone is None:
        return kind(**arguments, device=settings.device)
    of_features = settings.model_dump(include={*parameters_of(FeatureExtractor), "device"})
    return kind(FeatureExtractor(backbone, **of_features), **arguments)


def record(detector: "Detector", category: Category, maps: np.ndarray, settings: Checked) -> Result:
    """Note all of a fitted detector and its scores, by its latest maps (N, H, W) of test images."""
    features, device = getattr(detector, "features", None), describe_device(detector.device_)
    versions = {"python": platform.python_version()}
    return Result(
        category=category.name,
        model=DETECTORS.name_of(type(detector)),
        dataset=category.dataset,
        seed=settings.seed,
        synthetic=category.synthetic,
        settings=settings.model_dump(exclude=OF_ONE_MACHINE),
        usual_size=getattr(detector, "IMAGE_SIZE", None),
        backbone=None if features is None else features.backbone.describe(),
        fingerprint=category.fingerprint,
        names=category.test.names,
        defect_types=list(category.test.defect_types),
        labels=category.test.labels.tolist(),
        scores=detector.score_maps(maps, category.test).tolist(),
        mean_grey=mean_grey(category.test).tolist(),
        normal_scores=detector.normal_scores_.tolist(),
        threshold=detector.threshold_,
        seconds=detector.seconds_,
        versions=versions | {name: metadata.version(name) for name in PACKAGES},
        machine=f"{platform.machine()}, {torch.get_num_threads()} threads, {device}",
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def split_off(category: Category, seed: int, share: float = SHARE) -> tuple[Category, Subset]:
    """The category without a random share of its training images, and that share."""
    count = max(1, round(share * len(category.train)))
    held_out, rest = divide(category.train, count, seed)
    return replace(category, train=rest), held_out


def divide(train: ImageSet, images: int, seed: int) -> tuple[Subset, Subset]:
    """Some training images, drawn at random, and the others; subsets of one seed are nested."""
    order = np.random.default_rng(seed).permutation(len(train))
    return Subset(train, np.sort(order[:images])), Subset(train, np.sort(order[images:]))


def cell_mask(category: Category, index: int, size: int) -> np.ndarray:
    """Which cells of a map (size, size) touch the defect of a test image."""
    fine = max(1, 256 // size)
    mask = category.test.mask(index, size * fine)
    if mask is None:
        return np.zeros((size, size), dtype=bool)
    return mask.reshape(size, fine, size, fine).any(axis=(1, 3))  # (size, size)


def _watcher(category: Category, watched: list[dict]) -> Callable[[int, "Detector"], None]:
    """Note the test scores at some epochs; nothing is decided by them."""

    def watch(epoch: int, detector: "Detector") -> None:
        if epoch in WATCHED:
            maps = detector.anomaly_maps(category.test)
            top, mean = aggregate(maps, detector.top_k), maps.mean(axis=(1, 2))
            watched.append({"epoch": epoch, "top": top.tolist(), "all": mean.tolist()})

    return watch


def _pixel_metrics(category: Category, maps: np.ndarray) -> tuple[float | None, float | None]:
    """Pixel AUROC and AU-PRO, where there are places and masks."""
    masks = [category.test.mask(i, SIZE) for i in range(len(category.test))]
    if maps[0].size == 1 or any(mask is None for mask in masks):
        return None, None
    large, truth = enlarge(maps), np.stack(masks)  # (N, S, S) each
    return pixel_auroc(large, truth), au_pro(large, truth)

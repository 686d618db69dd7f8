"""What was tried on the way to kNN reconstruction, each by pasted defects, then for real.

Settings were chosen by the pasted defects alone; the test images are scored by
the same fitted detectors, to see what that choice was worth.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel

from anomalylib.detectors.base import FeatureDetector
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.knn_reconstruction import KNNReconstruction
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import Backbone
from anomalylib.images.category import Category, Subset
from anomalylib.metrics.image import auroc
from study.checkout import ROOT
from study.runs.controls import BrightnessNormalised, brightness_normalised
from study.runs.experiment import Experiment
from study.runs.measurement import split_off
from study.runs.writing import write_tables
from study.tables.reference import REFERENCE
from study.trials import alternatives
from study.trials.pasted_defects import PastedImages, aurocs
from study.trials.rarity import by_rarity, rarity_of

SMALL, LARGE = 224, 384
SQUARED = (Combined, alternatives.ClusteredDetector)  # their maps are squared lengths


class Trial(NamedTuple):
    """One way to score patches: what a page calls it, and its detector."""

    family: str
    name: str
    make: type[FeatureDetector]
    image_size: int
    settings: dict[str, Any]  # of the detector, where they differ from the defaults


def _on(family: str, name: str, make: type, size: int = LARGE, **settings: Any) -> Trial:
    return Trial(family, name, make, size, settings)


BASE, CHOSEN = "as in combined", "as chosen"
TRIALS = [
    _on("FeatCAE", BASE, Combined, SMALL),
    _on("FeatCAE", "latent 200, 8 epochs", Combined, SMALL, latent=200, epochs=8),
    _on("FeatCAE", "rare patches trained as often", alternatives.BalancedDetector, SMALL),
    _on("FeatCAE", "error relative to like patches", alternatives.RelativeDetector, SMALL),
    _on("FeatCAE", "residual whitened", alternatives.WhitenedDetector, SMALL),
    _on("FeatCAE", "384 pixels", Combined),
    _on("density", "one Gaussian", alternatives.ClusteredDetector, SMALL, clusters=1),
    _on("density", "64 Gaussians", alternatives.ClusteredDetector, SMALL, clusters=64),
    *[_on("patchcore", f"{size} pixels", PatchCore, size) for size in (SMALL, LARGE)],
    _on("kNN reconstruction", CHOSEN, KNNReconstruction),
    _on("kNN reconstruction", "nearest patch alone", KNNReconstruction, neighbours=1),
    *[
        _on("kNN reconstruction", f"{n} neighbours", KNNReconstruction, neighbours=n)
        for n in (3, 30)
    ],
    _on("kNN reconstruction", "bank at random", alternatives.RandomBank),
    _on("kNN reconstruction", "bank drawn, not spread", alternatives.DrawnBank),
    _on("kNN reconstruction", "candidates at random", alternatives.UniformCandidates),
    *[_on("kNN reconstruction", f"bank of {n:,}", KNNReconstruction, bank=n) for n in (1024, 8192)],
    _on("kNN reconstruction", "64 axes", KNNReconstruction, dimensions=64),
    _on("kNN reconstruction", "all axes", KNNReconstruction, dimensions=2048),
    *[
        _on("kNN reconstruction", f"{size} pixels", KNNReconstruction, size)
        for size in (SMALL, 320, 448)
    ],
]


class TrialRun(NamedTuple):
    """A trial on a category, with the first backbone."""

    trial: Trial
    category: str
    backbone: str

    @property
    def name(self) -> str:
        """A file name of its own."""
        words = f"{self.category} {self.trial.family} {self.trial.name}"
        return words.replace(" ", "-").replace(",", "")

    @property
    def module(self) -> str:
        """The module of its detector."""
        return self.trial.make.__module__

    @property
    def depends_on(self) -> dict[str, Any]:
        """What its record depends on besides images, weights and code."""
        return self.trial._asdict() | {"make": self.trial.make.__name__}


class TrialRecord(BaseModel):
    """What a trial gave on a category."""

    family: str
    trial: str
    category: str
    image_size: int
    pasted: float  # AUROC on pasted defects, the mean of `by_kind`
    plain: float  # AUROC on the test images
    brightness_normalised: float  # the same at one brightness
    by_kind: dict[str, float]
    by_rarity: list[dict[str, Any]]  # see `study.trials.rarity.by_rarity`


class TrialImages(NamedTuple):
    """What a trial learns from, and what it is measured on."""

    learned_from: Subset
    pasted: PastedImages
    matched: BrightnessNormalised


@functools.cache
def images_of(category: Category) -> TrialImages:
    """Four fifths of the training images, defects on the others, and the test images matched."""
    rest, held_out = split_off(category, seed=0)
    return TrialImages(rest.train, PastedImages(held_out), brightness_normalised(category).test)


def measure(
    run: TrialRun, category: Category, backbone: Backbone, folder: Path
) -> tuple[TrialRecord, None]:
    """Fit a trial's detector and score what it has not learned from; the folder keeps features."""
    torch.set_num_threads(1)
    trial, images, test = run.trial, images_of(category), category.test
    features = FeatureExtractor(backbone, image_size=trial.image_size)
    detector = trial.make(features, **trial.settings, keep=False, cache=folder / "features")
    detector.fit(images.learned_from)
    by_kind = aurocs(detector.score_samples(images.pasted), images.pasted.kinds)
    maps = detector.anomaly_maps(test)  # (N, H, W)
    errors = np.sqrt(maps) if isinstance(detector, SQUARED) else maps
    rarity = rarity_of(detector.prepare(test), detector.prepare(images.learned_from))
    which = {"family": trial.family, "trial": trial.name, "category": run.category}
    record = TrialRecord(
        **which,
        image_size=trial.image_size,
        pasted=float(np.mean(list(by_kind.values()))),
        plain=auroc(test.labels, detector.score_maps(maps, test)),
        brightness_normalised=auroc(test.labels, detector.score_samples(images.matched)),
        by_kind=by_kind,
        by_rarity=by_rarity(rarity, errors, category),
    )
    return record, None


open_experiment: Callable[..., Experiment] = functools.partial(
    Experiment, measure=measure, record=TrialRecord, folder=ROOT / "build" / "trials"
)


def plan(experiment: Experiment, categories: Sequence[str]) -> list[TrialRun]:
    """Every trial on every category, those of one image size after each other."""
    order = sorted(TRIALS, key=lambda trial: trial.image_size)
    first = experiment.first_backbone
    return [TrialRun(trial, category, first) for trial in order for category in categories]


def collect(
    experiment: Experiment, runs: Sequence[TrialRun], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make and write the tables ``trials`` and ``rarity``, in the order of `TRIALS`."""
    names = [(trial.family, trial.name) for trial in TRIALS]
    records = [experiment.load(run) for run in runs]
    records.sort(key=lambda record: names.index((record.family, record.trial)))
    rows, bins = [], []
    for record in records:
        rows.append(record.model_dump(exclude={"by_kind", "by_rarity"}) | record.by_kind)
        which = record.model_dump(include={"family", "trial", "category", "image_size"})
        bins += [which | row for row in record.by_rarity]
    return write_tables({"trials": pd.DataFrame(rows), "rarity": pd.DataFrame(bins)}, folder)

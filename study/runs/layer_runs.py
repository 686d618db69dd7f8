"""FeatCAE with each layer alone and with both: error against rarity, and wider codes."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel

from anomalylib.detectors.combined import Combined
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import Backbone
from anomalylib.images.category import Category
from study.checkout import FEATURES, ROOT
from study.runs.experiment import Experiment
from study.runs.measurement import PLAIN
from study.runs.rarity import by_rarity, rarity_of
from study.runs.writing import write_tables
from study.tables.reference import REFERENCE, SCORE

LAYERS = ("layer2,layer3", "layer2", "layer3")
LATENT = (50, 100, 200, 400)


class LayerRun(NamedTuple):
    """FeatCAE on some layers of the first backbone, with a code of so many channels."""

    category: str
    backbone: str
    layers: str
    latent: int

    @property
    def name(self) -> str:
        """A file name of its own."""
        return f"{self.category}-{self.layers.replace(',', '-')}-latent{self.latent}"

    @property
    def module(self) -> str:
        """The module of its detector."""
        return Combined.__module__

    @property
    def depends_on(self) -> dict[str, Any]:
        """What its record depends on besides images, weights and code."""
        return self._asdict()


class LayerRecord(BaseModel):
    """What a run gave."""

    category: str
    layers: str
    latent: int
    names: list[str]  # of the test images
    labels: list[int]
    scores: list[float]
    by_rarity: list[dict[str, Any]]  # see `study.runs.rarity.by_rarity`


def measure(
    run: LayerRun, category: Category, backbone: Backbone, folder: Path
) -> tuple[LayerRecord, None]:
    """Fit on all training images, seed 0, on one thread, and score the test images."""
    torch.set_num_threads(1)
    layers = tuple(run.layers.split(","))
    features = FeatureExtractor(replace(backbone, layers=layers), device="cpu")
    detector = Combined(features, latent=run.latent, cache=FEATURES, keep=False)
    maps = detector.fit(category.train).anomaly_maps(category.test)  # (N, H, W)
    rarity = rarity_of(detector.prepare(category.test), detector.prepare(category.train))
    record = LayerRecord(
        **run._asdict(),
        names=category.test.names,
        labels=category.test.labels.tolist(),
        scores=detector.score_maps(maps).tolist(),
        by_rarity=by_rarity(rarity, np.sqrt(maps), category),
    )
    return record, None


open_experiment: Callable[..., Experiment] = functools.partial(
    Experiment, measure=measure, record=LayerRecord, folder=ROOT / "build" / "layers"
)


def plan(experiment: Experiment, categories: Sequence[str]) -> list[LayerRun]:
    """Every choice of layers and code on every category."""
    return [
        LayerRun(category, experiment.first_backbone, layers, latent)
        for category in categories
        for layers in LAYERS
        for latent in LATENT
    ]


def collect(
    experiment: Experiment, runs: Sequence[LayerRun], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make and write ``layer_scores``, a row a test image, and ``layers``, one a bin of rarity."""
    scores, bins = [], []
    for record in map(experiment.load, runs):
        which = record.model_dump(include={"category", "layers", "latent"})
        images = {"image": record.names, "label": record.labels, SCORE: record.scores}
        scores.append(pd.DataFrame(which | {"variant": PLAIN, "seed": 0} | images))
        bins.append(pd.DataFrame(record.by_rarity).assign(**which)[[*which, *record.by_rarity[0]]])
    return write_tables({"layer_scores": pd.concat(scores), "layers": pd.concat(bins)}, folder)

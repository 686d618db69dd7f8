"""One setting at a time: what each does to the AUROC, on every category."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from anomalylib.features.weights import LITE0
from anomalylib.metrics import intervals
from study.runs.experiment import Experiment
from study.runs.measurement import Run
from study.runs.writing import write_tables
from study.settings import make_settings
from study.tables.reference import REFERENCE, SCORE, wins_of

SEEDS = (0,)
ON_FEATURES = ("resnet", "combined", "patchcore")
LEARNED = ("combined",)


class Level(NamedTuple):
    """A value of one factor, as a page calls them, and the runs that measure it."""

    factor: str
    value: str
    models: tuple[str, ...]  # those that the factor touches
    changes: dict[str, Any]  # settings that differ from the defaults
    second: bool = False  # whether it takes the second backbone in place of the first


def _levels(factor: str, setting: str, values: tuple, models: tuple[str, ...]) -> list[Level]:
    return [Level(factor, str(value), models, {setting: value}) for value in values]


LEVELS = [
    *_levels("latent channels", "latent", (10, 25, 100, 200, 400), LEARNED),
    *_levels("epochs", "epochs", (1, 2, 8), LEARNED),
    *_levels("peak learning rate", "learning_rate", (0.001, 0.003, 0.03), LEARNED),
    *_levels("vectors per step", "batch_size", (128, 2048, 8192), LEARNED),
    Level("batch norm", "off", LEARNED, {"batch_norm": False}),
    Level("feature scaling", "off", LEARNED, {"scale": False}),
    Level("pooling", "padded", ON_FEATURES, {"pool_padding": 1}),
    Level("ImageNet normalisation", "off", ON_FEATURES, {"normalise": False}),
    *_levels("image size", "image_size", (160, 320), ON_FEATURES),
    Level("weights and layers", "layer2", ON_FEATURES, {"layers": "layer2"}),
    Level("weights and layers", "layer3", ON_FEATURES, {"layers": "layer3"}),
    Level("weights and layers", "torchvision's", ON_FEATURES, {}, second=True),
]
_DEFAULT = make_settings("combined", {})
USUAL = {  # the value of each factor in all other pages
    "aggregation": f"top {_DEFAULT.top_k}",
    "latent channels": str(_DEFAULT.latent),
    "epochs": str(_DEFAULT.epochs),
    "peak learning rate": str(_DEFAULT.learning_rate),
    "vectors per step": str(_DEFAULT.batch_size),
    "batch norm": "on",
    "feature scaling": "on",
    "pooling": "unpadded",
    "ImageNet normalisation": "on",
    "image size": str(_DEFAULT.image_size),
    "weights and layers": "both",
}
AGGREGATIONS = {"1": "maximum", "3": "top 3", "10": "top 10", "30": "top 30"}
AGGREGATIONS |= {"100": "top 100", "300": "top 300", "all": "mean"}

open_experiment = Experiment


def plan(experiment: Experiment, categories: Iterable[str]) -> list[Run]:
    """The runs of every level, and of the usual values, which are the reference's."""
    return [run for _, run in level_runs(experiment, categories)]


def level_runs(experiment: Experiment, categories: Iterable[str]) -> list[tuple[Level, Run]]:
    """What is planned, each run with the level that it measures."""
    first, *others = experiment.backbones
    layers = experiment.backbones[first].layers
    usual = Level("", "", (*ON_FEATURES, "autoencoder"), {})
    runs = []
    for level in (usual, *LEVELS):
        if level.changes.get("layers", layers[0]) not in layers:
            continue
        if level.second and others[:1] in ([], [LITE0]):
            continue
        backbone = others[0] if level.second else first
        for seed, category, model in itertools.product(SEEDS, categories, level.models):
            which = {"category": category, "model": model, "seed": seed}
            which["backbone"] = "" if model == "autoencoder" else backbone
            if set(level.changes) == {"layers"}:  # a run of the reference
                which["variant"] = level.changes["layers"]
            runs.append((level, Run(changes=level.changes, **which)))
    return runs


def collect(
    experiment: Experiment, runs: Sequence[Run], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make and write the tables ``sensitivity_scores`` and ``sensitivity``."""
    categories = list(dict.fromkeys(run.category for run in runs))
    frames = []
    for level, run in level_runs(experiment, categories):
        measurement = experiment.load(run)
        result = measurement.result
        touching = {each.factor for each in LEVELS if run.model in each.models}
        usual = [pair for pair in USUAL.items() if pair[0] in touching]
        pairs = [(level.factor, level.value)] if level.factor else usual
        measured = [(*pair, result.scores) for pair in pairs]
        if not level.factor and run.model != "resnet":  # its map has one cell
            by_k = measurement.scores_by_k.items()
            measured += [("aggregation", AGGREGATIONS[k], scores) for k, scores in by_k]
        for factor, value, scores in measured:
            which = {"category": run.category, "model": run.model, "seed": run.seed}
            which |= {"factor": factor, "value": value}
            images = {"image": result.names, "label": result.labels, SCORE: scores}
            frames.append(pd.DataFrame(which | images))
    scores = pd.concat(frames, ignore_index=True)
    return write_tables({"sensitivity_scores": scores, "sensitivity": summarise(scores)}, folder)


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a category, model, factor and value: AUROC, and ``change`` from the usual value."""
    rows = []
    table = scores.assign(variant="plain")
    keys = scores[["category", "model", "factor", "value"]].drop_duplicates()
    for key in keys.itertuples(index=False):
        wins = wins_of(table, **key._asdict(), variant="plain")
        usual = wins_of(table, **key._replace(value=USUAL[key.factor])._asdict(), variant="plain")
        low, high = intervals.auroc_interval(wins)[1:]
        row = {"usual": key.value == USUAL[key.factor], "auroc": wins.mean()}
        row |= {"auroc_ci_low": low, "auroc_ci_high": high}  # bootstrap; ``p`` is DeLong's
        row |= {"change": wins.mean() - usual.mean(), "p": intervals.paired_p(wins, usual)}
        rows.append(key._asdict() | row)
    return pd.DataFrame(rows)

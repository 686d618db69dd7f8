"""One setting at a time: what each does to the AUROC, on every category."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from anomalylib.features.weights import EXPORTED
from anomalylib.metrics import intervals
from study.runs.experiment import Experiment
from study.runs.measurement import Run
from study.runs.reference import write_tables
from study.tables.reference import REFERENCE, SCORE, wins_of

SEEDS = (0,)
ON_FEATURES = ("resnet", "combined", "patchcore")
LEARNED = ("combined",)


class Level(NamedTuple):
    """A value of one factor, and the runs that measure it.

    Parameters
    ----------
    factor, value : str
        What a page calls them.
    arms : tuple of str
        Those that the factor touches.
    changes : dict
        Settings that differ from the defaults.
    exported : bool
        Whether it takes the exported backbone in place of the first.
    """

    factor: str
    value: str
    arms: tuple[str, ...]
    changes: dict[str, Any]
    exported: bool = False


def _levels(factor: str, setting: str, values: tuple, arms: tuple[str, ...]) -> list[Level]:
    return [Level(factor, str(value), arms, {setting: value}) for value in values]


LEVELS = [
    *_levels("latent channels", "latent", (10, 25, 100, 200), LEARNED),
    *_levels("epochs", "epochs", (1, 2, 8), LEARNED),
    *_levels("peak learning rate", "learning_rate", (0.001, 0.003, 0.03), LEARNED),
    *_levels("vectors per step", "batch_size", (128, 2048, 8192), LEARNED),
    Level("batch norm", "off", LEARNED, {"batch_norm": False}),
    Level("feature scaling", "off", LEARNED, {"scale": False}),
    Level("pooling", "padded", ON_FEATURES, {"pool_padding": 1}),
    Level("ImageNet normalisation", "off", ON_FEATURES, {"normalise": False}),
    *_levels("image size", "image_size", (160, 320), ON_FEATURES),
    # A coreset of layer1 has four times the rows and costs sixteen times as much.
    Level("weights and layers", "V1 layer1", ("resnet", "combined"), {"layers": "layer1"}),
    Level("weights and layers", "V2 layer2", ON_FEATURES, {"layers": "0"}, exported=True),
    Level("weights and layers", "V2 layer3", ON_FEATURES, {"layers": "1"}, exported=True),
    Level("weights and layers", "V2 both", ON_FEATURES, {}, exported=True),
]
USUAL = {
    "aggregation": "top 10",
    "latent channels": "50",
    "epochs": "4",
    "peak learning rate": "0.01",
    "vectors per step": "512",
    "batch norm": "on",
    "feature scaling": "on",
    "pooling": "unpadded",
    "ImageNet normalisation": "on",
    "image size": "224",
    "weights and layers": "V1 layer2",
}
"""The value of each factor in all other pages."""
AGGREGATIONS = {"1": "maximum", "3": "top 3", "10": "top 10", "30": "top 30"}
AGGREGATIONS |= {"100": "top 100", "300": "top 300", "all": "mean"}


def sensitivity_runs(experiment: Experiment, categories: list[str]) -> list[tuple[Level, Run]]:
    """The runs of every level, and of the usual values, which are the reference's."""
    first = next(iter(experiment.backbones))
    backbones = experiment.backbones.items()
    exported = next((name for name, found in backbones if found.name == EXPORTED), None)
    usual = Level("", "", (*ON_FEATURES, "autoencoder"), {})
    runs = []
    for level in (usual, *LEVELS):
        if level.exported and exported is None:
            continue
        backbone = exported if level.exported else first
        for seed in SEEDS:
            for category in categories:
                for arm in level.arms:
                    own = "" if arm == "autoencoder" else backbone
                    said = {"category": category, "arm": arm, "seed": seed}
                    runs.append((level, Run(backbone=own, changes=level.changes, **said)))
    return runs


def collect(
    experiment: Experiment, runs: list[tuple[Level, Run]], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make and write the tables ``sensitivity_scores`` and ``sensitivity``."""
    frames = []
    for level, run in runs:
        measurement = experiment.load(run)
        said = {"category": run.category, "arm": run.arm, "seed": run.seed}
        result = measurement.result
        images = {"image": result.names, "label": result.labels}
        if level.factor:
            own = said | {"factor": level.factor, "value": level.value}
            frames.append(pd.DataFrame(own | images | {SCORE: result.scores}))
            continue
        for factor, value in USUAL.items():
            if factor != "aggregation" and _touches(factor, run.arm):
                own = said | {"factor": factor, "value": value}
                frames.append(pd.DataFrame(own | images | {SCORE: result.scores}))
        for k, scores in measurement.scores_by_k.items():
            if run.arm != "resnet":  # its map has one cell
                own = said | {"factor": "aggregation", "value": AGGREGATIONS[k]}
                frames.append(pd.DataFrame(own | images | {SCORE: scores}))
    scores = pd.concat(frames, ignore_index=True)
    tables = {"sensitivity_scores": scores, "sensitivity": summarise(scores)}
    write_tables(tables, folder)
    return tables


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a category, arm, factor and value: AUROC and its bootstrap interval.

    ``change`` is the difference to the usual value of the factor on the same
    images and seeds, ``p`` that of DeLong's paired test.
    """
    rows = []
    columns = ["category", "arm", "factor", "value"]
    for key in scores[columns].drop_duplicates().itertuples(index=False):
        own = {"category": key.category, "arm": key.arm, "factor": key.factor, "variant": "plain"}
        table = scores.assign(variant="plain")
        wins = wins_of(table, **own, value=key.value)
        usual = wins_of(table, **own, value=USUAL[key.factor])
        low, high = intervals.bootstrap(wins)[1:]
        row = {"usual": key.value == USUAL[key.factor], "auroc": wins.mean()}
        row |= {"auroc_ci_low": low, "auroc_ci_high": high}
        row |= {"change": wins.mean() - usual.mean(), "p": intervals.paired_p(wins, usual)}
        rows.append(key._asdict() | row)
    return pd.DataFrame(rows)


def _touches(factor: str, arm: str) -> bool:
    return any(level.factor == factor and arm in level.arms for level in LEVELS)

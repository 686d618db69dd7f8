"""The learning curve on real parts: many runs, each on some of the training images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anomalylib.images.category import load_category
from study.runs.experiment import Experiment
from study.runs.learning_curve import figures, sizes_up_to
from study.runs.measurement import Measurement, Run
from study.runs.writing import write_tables
from study.settings import make_settings
from study.tables.reference import REFERENCE

SEEDS = dict.fromkeys(("combined", "patchcore"), 3)  # how many, by model
SIZES = (10, 20, 50, 100, 200)
TRAINED = "combined"  # trains in passes over its images: fewer images are fewer steps

open_experiment = Experiment


def plan(
    experiment: Experiment, categories: Sequence[str], sizes: Sequence[int] = SIZES
) -> list[Run]:
    """Every model on every category with every size, seed by seed, for an early first look."""
    totals = {name: len(load_category(experiment.data_root, name).train) for name in categories}
    usual = make_settings(TRAINED, {}).epochs
    runs = []
    for seed in range(max(SEEDS.values())):
        for category, total in totals.items():
            for model in [model for model, count in SEEDS.items() if seed < count]:
                shared = {"category": category, "model": model, "seed": seed}
                shared["backbone"] = experiment.first_backbone
                for images in sizes_up_to(total, sizes):
                    # with all images, the plain run of the reference
                    runs.append(Run(images=images if images < total else 0, **shared))
                    if model == TRAINED and images < total:  # as many steps as with all images
                        passes = {"epochs": round(usual * total / images)}
                        runs.append(Run(images=images, changes=passes, **shared))
    return runs


def collect(
    experiment: Experiment, runs: Sequence[Run], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make and write the tables ``learning_curve`` and ``equal_steps``, one row a run."""
    rows = [row_of(experiment.load(run)) for run in runs]
    order = ("category", "model", "backbone", "images", "seed")
    rows.sort(key=lambda row: [row[column] for column in order])
    usual = pd.DataFrame([row for row in rows if "epochs" not in row])
    equal_steps = pd.DataFrame([row for row in rows if "epochs" in row])
    return write_tables({"learning_curve": usual, "equal_steps": equal_steps}, folder)


def row_of(measurement: Measurement) -> dict[str, Any]:
    """The row of a run: which it is, its passes where they are not the usual ones, its figures."""
    run, result = measurement.run, measurement.result
    which = run.model_dump(include={"category", "model", "backbone", "seed"})
    training = (result.threshold, result.normal_scores, measurement.held_out_scores)
    return which | run.changes | figures(*training, result.scores, result.labels)

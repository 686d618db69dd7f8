"""The reference results: which runs there are, and the tables made of them."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from anomalylib.files import written_whole
from anomalylib.images.category import Category, load_category, mean_grey
from anomalylib.metrics.image import auroc
from study.checkout import commit
from study.runs.controls import brightness_normalised, contrast, file_size
from study.runs.experiment import Experiment
from study.runs.measurement import (
    HELD_OUT,
    NORMALISED,
    PLAIN,
    UNTRAINED,
    Measurement,
    Run,
    cell_mask,
)
from study.runs.writing import write_tables
from study.settings import make_settings
from study.tables.reference import CONTROLS, REFERENCE, decisions, summarise

SEEDS = range(5)
CONTROL_SEEDS = range(3)
ON_FEATURES = ("resnet", "combined", "patchcore")
FIRST_ONLY = ("knn_reconstruction",)  # with the first backbone, which its setting was chosen with
LARGER = "384 pixels"  # patchcore at the size of kNN reconstruction, compared on one grid
PLACES = 32  # side of the mean error maps that are kept
AGGREGATED = ("score_top10", "score_mean", "score_max")

open_experiment = Experiment


def plan(experiment: Experiment, categories: Sequence[str]) -> list[Run]:
    """All runs, seed by seed, so that a first look is there early; controls on one backbone."""
    first = experiment.first_backbone
    larger = {"image_size": make_settings("knn_reconstruction", {}).image_size}
    runs = []
    for seed in SEEDS:
        controls = (NORMALISED, HELD_OUT, UNTRAINED) if seed in CONTROL_SEEDS else ()
        for category in categories:
            for variant in (PLAIN, *controls):
                shared = {"category": category, "variant": variant, "seed": seed}
                if variant != UNTRAINED:
                    runs.append(Run(model="autoencoder", **shared))
                for backbone in experiment.backbones if variant == PLAIN else [first]:
                    models = ON_FEATURES + (FIRST_ONLY if backbone == first else ())
                    runs += [Run(model=model, backbone=backbone, **shared) for model in models]
            if controls:
                shared = {"category": category, "variant": LARGER, "seed": seed}
                runs.append(Run(model="patchcore", backbone=first, changes=larger, **shared))
    return runs


def collect(
    experiment: Experiment, runs: Sequence[Run], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make the tables of measured runs and write them, as CSV, with their provenance."""
    measured = [experiment.load(run) for run in runs]
    names = dict.fromkeys(run.category for run in runs)
    categories = [load_category(experiment.data_root, name) for name in names]
    plain = [run for run in runs if run.variant == PLAIN]
    joined = functools.partial(pd.concat, ignore_index=True)
    tables = {
        "scores": joined([*map(image_scores, measured), *map(control_scores, categories)]),
        "nominal": joined(map(nominal_scores, measured)),
        "runs": pd.DataFrame(map(run_row, measured)),
        "training": joined(map(watched_rows, measured)),
        "places": joined(places(experiment, plain, category) for category in categories),
        "error_maps": joined(mean_error_maps(experiment, plain, each) for each in categories),
    }
    tables["summary"] = summarise(tables["scores"], tables["nominal"], tables["runs"])
    tables["thresholds"] = decisions(tables["scores"], tables["nominal"])
    write_tables(tables, folder)
    with written_whole(folder / "provenance.json") as beside:
        beside.write_text(json.dumps(provenance(measured, categories), indent=1) + "\n")
    return tables


def identity(run: Run) -> dict[str, Any]:
    """The columns that tell which run a row is of."""
    return run.model_dump(include={"category", "variant", "model", "backbone", "seed"})


def image_scores(measurement: Measurement) -> pd.DataFrame:
    """One row a test image: its score by three aggregations."""
    result, by_k = measurement.result, measurement.scores_by_k
    images = {"image": result.names, "label": result.labels, "defect_type": result.defect_types}
    scores = (result.scores, by_k["all"], by_k.get("1", by_k["all"]))
    columns = images | dict(zip(AGGREGATED, scores, strict=True))
    return pd.DataFrame(identity(measurement.run) | columns)


def control_scores(category: Category) -> pd.DataFrame:
    """Brightness, contrast and file size of the test images, taken as scores."""
    frames = []
    for variant, test in (
        (PLAIN, category.test),
        (NORMALISED, brightness_normalised(category).test),
    ):
        images = {"image": test.names, "label": test.labels, "defect_type": test.defect_types}
        for name, control in zip(CONTROLS, (mean_grey, contrast, file_size), strict=True):
            if variant == PLAIN or control is not file_size:  # matched images have no files
                which = {"category": category.name, "variant": variant, "model": name}
                which |= {"backbone": "", "seed": 0}
                scores = dict.fromkeys(AGGREGATED, control(test))
                frames.append(pd.DataFrame(which | images | scores))
    return pd.concat(frames, ignore_index=True)


def nominal_scores(measurement: Measurement) -> pd.DataFrame:
    """Scores that thresholds are learned from: of training or of held-out images."""
    held_out = measurement.run.variant == HELD_OUT
    score = measurement.held_out_scores if held_out else measurement.result.nominal_scores
    kept = measurement.run.variant in (PLAIN, HELD_OUT)
    return pd.DataFrame(identity(measurement.run) | {"score": score if kept else []})


def run_row(measurement: Measurement) -> dict[str, Any]:
    """What there is one of for each run."""
    result, settings = measurement.result, measurement.result.settings
    return identity(measurement.run) | {
        "layers": " + ".join(result.backbone["layers"]) if result.backbone else "",
        "image_size": settings.get("image_size", settings.get("side")),
        "pixel_auroc": measurement.pixel_auroc,
        "aupro": measurement.au_pro,
        "fit_seconds": result.seconds["fit"],
        "score_seconds": result.seconds["score"],
    }


def watched_rows(measurement: Measurement) -> pd.DataFrame:
    """How the autoencoder's score changed along its training."""
    labels, grey = np.array(measurement.result.labels), measurement.result.mean_grey
    which = identity(measurement.run)
    rows = []
    for seen in measurement.watched:
        for name in ("top", "all"):
            figures = (auroc(labels, np.array(seen[name])), spearmanr(seen[name], grey).statistic)
            rows.append((*which.values(), seen["epoch"], name, *figures))
    columns = [*which, "epoch", "aggregation", "auroc", "spearman_grey"]
    return pd.DataFrame(rows, columns=columns)


def places(experiment: Experiment, runs: Sequence[Run], category: Category) -> pd.DataFrame:
    """Where in each test image of a category the error is; a map of one cell has no places.

    ``inside`` and ``outside`` are the mean errors in and around the mask, ``usual`` that of the
    normal test images at the places of ``inside``, ``top_inside`` the share of the ten highest
    map values that lie in the mask, ``area`` the mask's share of the map.
    """
    masks: dict[int, list[np.ndarray]] = {}
    rows = []
    for run in runs:
        if run.category != category.name or run.model == "resnet":
            continue
        maps = experiment.maps(run)  # (N, H, W)
        size = maps.shape[-1]
        if size not in masks:
            masks[size] = [cell_mask(category, index, size) for index in range(len(maps))]
        usual = maps[category.test.labels == 0].mean(axis=0)  # (H, W)
        for index, (error, mask) in enumerate(zip(maps, masks[size], strict=True)):
            highest = np.argpartition(error.ravel(), -10)[-10:]
            touched = mask.any()
            row = {
                "image": category.test.names[index],
                "defect_type": category.test.defect_types[index],
                "inside": error[mask].mean() if touched else np.nan,
                "usual": usual[mask].mean() if touched else np.nan,
                "outside": error[~mask].mean(),
                "top_inside": mask.ravel()[highest].mean() if touched else np.nan,
                "area": mask.mean(),
            }
            rows.append(identity(run) | row)
    return pd.DataFrame(rows)


def mean_error_maps(
    experiment: Experiment, runs: Sequence[Run], category: Category
) -> pd.DataFrame:
    """The autoencoder's error on a coarse grid, a mean over the seeds and images of a type."""
    same = [run for run in runs if run.model == "autoencoder" and run.category == category.name]
    maps = np.mean([experiment.maps(run) for run in same], axis=0)  # (N, H, W)
    cell = maps.shape[-1] // PLACES
    coarse = maps.reshape(len(maps), PLACES, cell, PLACES, cell).mean(axis=(2, 4))  # (N, P, P)
    kinds = np.array(category.test.defect_types)
    row, column = np.indices((PLACES, PLACES)).reshape(2, -1)
    frames = []
    for kind in sorted(set(kinds)):
        error = coarse[kinds == kind].mean(axis=0).ravel().round(7)
        columns = {"defect_type": kind, "row": row, "column": column, "error": error}
        frames.append(pd.DataFrame({"category": category.name} | columns))
    return pd.concat(frames, ignore_index=True)


def provenance(measured: Sequence[Measurement], categories: Sequence[Category]) -> dict[str, Any]:
    """What someone needs to make the same numbers again."""
    results = [measurement.result for measurement in measured]
    plain = [each for each in measured if each.run.variant == PLAIN and each.result.backbone]
    data = {
        each.name: {"dataset": each.dataset, "sha256": each.fingerprint, "images": each.counts()}
        for each in categories
    }
    varying = {"category", "seed", "chosen", "backbone", "layers"}
    settings = {
        each.model: {key: value for key, value in each.settings.items() if key not in varying}
        for each in results
    }
    return {
        "data": data,
        "backbones": {each.run.backbone: each.result.backbone for each in plain},
        "settings": settings,
        "runs": len(measured),
        "versions": results[0].versions,
        "machines": sorted({result.machine for result in results}),
        "processor_hours": round(sum(sum(r.seconds.values()) for r in results) / 3600, 2),
        "measured": [min(r.date for r in results), max(r.date for r in results)],
        "commit": commit(),
    }

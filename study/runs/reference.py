"""The reference results: which runs there are, and the tables made of them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from anomalylib.files import written_whole
from anomalylib.images.category import Category, load_category
from anomalylib.metrics.image import auroc
from study.checkout import commit
from study.names import LARGER, LARGER_HELD_OUT, NORMALISED, REPORTED
from study.runs.controls import brightness_normalised, file_size, greys
from study.runs.examples import examples, write_arrays
from study.runs.experiment import Experiment
from study.runs.measurement import HELD_OUT, PLAIN, Measurement, Run, cell_mask
from study.runs.pixel import kept_maps, pixel_rows
from study.runs.plan import plan as plan  # as the other commands have it
from study.runs.retired import kept_from
from study.runs.writing import write_tables
from study.tables.reference import CONTROLS, REFERENCE, decisions, summarise

PLACES = 32  # side of the mean error maps that are kept
AGGREGATED = ("score_top10", "score_mean", "score_max")

TRAINING = "training"
FROZEN = "6d00535"  # the commit that has the settings; five of seven parts were measured later

open_experiment = Experiment


def collect(
    experiment: Experiment, runs: Sequence[Run], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make the tables of measured runs and write them, as CSV, with their provenance."""
    measured = [experiment.load(run) for run in runs]
    names = dict.fromkeys(run.category for run in runs)
    categories = [load_category(experiment.data_root, name) for name in names]
    placed = [run for run in runs if run.backbone in ("", experiment.first_backbone)]
    plain = [run for run in placed if run.variant == PLAIN]
    shown = [run for run in placed if run.variant in (PLAIN, LARGER) and run.seed == 0]
    lit = [light(category) for category in categories]
    told = [examples(experiment, shown, category) for category in categories]
    tables = {
        "scores": _joined([*map(image_scores, measured), *map(control_scores, categories, lit)]),
        "nominal": _joined(map(normal_scores, measured)),
        "light": _joined(lit),
        "runs": pd.DataFrame(map(run_row, measured)),
        "training": _joined(map(watched_rows, measured)),
        "places": _joined(places(experiment, plain, category) for category in categories),
        "error_maps": _joined(
            mean_error_maps(experiment, plain, each) for each in categories if each.name in REPORTED
        ),
        "examples": _joined(table for table, _ in told),
        "pixel": _joined(pixel_rows(experiment, shown, category) for category in categories),
    }
    left = kept_from(folder, categories)
    for name in tables.keys() & left.rows.keys():
        tables[name] = _joined([tables[name], left.rows[name]])
    tables["summary"] = summarise(tables["scores"], tables["nominal"], tables["runs"])
    tables["thresholds"] = decisions(tables["scores"], tables["nominal"])
    tables = {name: table for name, table in tables.items() if len(table)}  # of a part, some
    write_tables(tables, folder)
    arrays = {name: each for _, some in told for name, each in some.items()}
    write_arrays(arrays | left.arrays, folder, "examples")
    looked_at = [run for run in shown if run.variant == PLAIN and run.category in REPORTED]
    every = [kept_maps(experiment, looked_at, category) for category in categories]
    write_arrays({name: each for some in every for name, each in some.items()}, folder, "maps")
    said = provenance(measured, categories)
    said["settings"] |= left.settings
    with written_whole(folder / "provenance.json") as beside:
        beside.write_text(json.dumps(said, indent=1) + "\n")
    return tables


def _joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other; one without rows where all are."""
    there = [table for table in tables if len(table)]
    return pd.concat(there, ignore_index=True) if there else pd.DataFrame()


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


def light(category: Category) -> pd.DataFrame:
    """Mean grey value and contrast of every image, in training and in test."""
    frames = []
    for split, images in (("train", category.train), ("test", category.test)):
        mean, contrast = greys(images)
        columns = {"category": category.name, "split": split, "image": images.names}
        columns |= {"label": images.labels, "mean_grey": mean, "contrast": contrast}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def control_scores(category: Category, lit: pd.DataFrame) -> pd.DataFrame:
    """Brightness, contrast and file size of the test images, taken as scores; `lit` is `light`."""
    test, train = category.test, lit[lit.split == "train"]
    level = float(train.mean_grey.mean())
    usual = lit[lit.split == "test"]
    scored = {
        PLAIN: (usual.mean_grey, usual.contrast, file_size(test)),
        NORMALISED: greys(brightness_normalised(category, level).test),  # which have no files
    }
    images = {"image": test.names, "label": test.labels, "defect_type": test.defect_types}
    frames = []
    for variant, values in scored.items():
        for name, score in zip(CONTROLS, values, strict=False):
            which = {"category": category.name, "variant": variant, "model": name}
            which |= {"backbone": "", "seed": 0}
            frames.append(pd.DataFrame(which | images | dict.fromkeys(AGGREGATED, np.array(score))))
    return pd.concat(frames, ignore_index=True)


def normal_scores(measurement: Measurement) -> pd.DataFrame:
    """Scores of normal images, which thresholds are learned from: of training or held out."""
    if measurement.run.variant not in (PLAIN, LARGER, HELD_OUT, LARGER_HELD_OUT):
        return pd.DataFrame()
    scores = {TRAINING: measurement.result.normal_scores, HELD_OUT: measurement.held_out_scores}
    frames = [pd.DataFrame({"images": which, "score": each}) for which, each in scores.items()]
    both = pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
    return pd.DataFrame(identity(measurement.run) | dict(both))


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
    if not same:
        return pd.DataFrame()
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
        each.run.model: {k: v for k, v in each.result.settings.items() if k not in varying}
        for each in measured
        if not each.run.changes
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
        "settings_frozen_at": FROZEN,
    }

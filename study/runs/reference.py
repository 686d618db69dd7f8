"""The reference results: which runs there are, and the tables made of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from anomalylib.files import written_whole
from anomalylib.images.category import Category, load_category, mean_grey
from anomalylib.metrics import image as metrics
from anomalylib.metrics.pixel import cell_mask
from study.checkout import commit
from study.runs.controls import contrast, file_size, grey_matched
from study.runs.experiment import Experiment
from study.runs.measurement import GREY, HELD_OUT, LARGER, PLAIN, UNTRAINED, Measurement, Run
from study.settings import CombinedPlusSettings
from study.tables.reference import CONTROLS, REFERENCE, decisions, summarise

SEEDS = range(5)
CONTROL_SEEDS = range(3)
FEATURE_ARMS = ("resnet", "combined", "patchcore")
FIRST_ONLY = ("combined_plus",)
"""Arms measured with the first backbone alone, the one their setting was chosen with."""
SAME_SIZE = {"image_size": CombinedPlusSettings().image_size}
"""So that patchcore can be compared with combined+ on the same grid."""
PLACES = 32  # side of the mean error maps that are kept


def reference_runs(categories: list[str], backbones: list[str]) -> list[Run]:
    """All runs, seed by seed, so that a first look is there early.

    Parameters
    ----------
    categories : list of str
    backbones : list of str
        Names; the controls are made with the first.
    """
    runs = []
    for seed in SEEDS:
        controls = (GREY, HELD_OUT, UNTRAINED) if seed in CONTROL_SEEDS else ()
        for category in categories:
            for variant in (PLAIN, *controls):
                own = {"category": category, "variant": variant, "seed": seed}
                if variant != UNTRAINED:
                    runs.append(Run(arm="autoencoder", **own))
                for backbone in backbones if variant == PLAIN else backbones[:1]:
                    arms = FEATURE_ARMS + (FIRST_ONLY if backbone == backbones[0] else ())
                    runs += [Run(arm=arm, backbone=backbone, **own) for arm in arms]
            if controls:
                own = {"category": category, "variant": LARGER, "seed": seed}
                runs.append(Run(arm="patchcore", backbone=backbones[0], changes=SAME_SIZE, **own))
    return runs


def collect(
    experiment: Experiment, runs: list[Run], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make the tables of measured runs and write them, as CSV, with their provenance.

    Returns
    -------
    dict of str to DataFrame
        Each table by its file's name.
    """
    measured = [experiment.load(run) for run in runs]
    names = list(dict.fromkeys(run.category for run in runs))
    categories = {name: load_category(experiment.data_root, name) for name in names}
    scores = [test_scores(measurement) for measurement in measured]
    scores += [control_scores(category) for category in categories.values()]
    tables = {
        "scores": pd.concat(scores, ignore_index=True),
        "nominal": pd.concat(map(nominal_scores, measured), ignore_index=True),
        "runs": pd.DataFrame(map(run_row, measured)),
        "training": pd.concat(map(watched_rows, measured), ignore_index=True),
    }
    tables["summary"] = summarise(tables["scores"], tables["nominal"], tables["runs"])
    tables["thresholds"] = decisions(tables["scores"], tables["nominal"])
    plain = [run for run in runs if run.variant == PLAIN]
    with_places = [run for run in plain if run.arm != "resnet"]
    tables["places"] = pd.concat(
        [
            places(found, [(r, experiment.maps(r)) for r in with_places if r.category == name])
            for name, found in categories.items()
        ],
        ignore_index=True,
    )
    tables["error_maps"] = pd.concat(
        [mean_error_maps(experiment, plain, category) for category in categories.values()],
        ignore_index=True,
    )
    write_tables(tables, folder)
    said = provenance(measured, categories)
    with written_whole(folder / "provenance.json") as beside:
        beside.write_text(json.dumps(said, indent=1) + "\n")
    return tables


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write each table as ``<name>.csv``; nine digits keep every float32 apart."""
    for name, table in tables.items():
        with written_whole(folder / f"{name}.csv") as beside:
            table.to_csv(beside, index=False, float_format="%.9g", lineterminator="\n")


def identity(run: Run) -> dict[str, Any]:
    """The columns that say which run a row is of."""
    return run.model_dump(include={"category", "variant", "arm", "backbone", "seed"})


def test_scores(measurement: Measurement) -> pd.DataFrame:
    """One row a test image: its score by three aggregations."""
    result, by_k = measurement.result, measurement.scores_by_k
    columns = {
        "image": result.names,
        "label": result.labels,
        "defect_type": result.defect_types,
        "score_top10": result.scores,
        "score_mean": by_k["all"],
        "score_max": by_k.get("1", by_k["all"]),
    }
    return pd.DataFrame(identity(measurement.run) | columns)


def control_scores(category: Category) -> pd.DataFrame:
    """Brightness, contrast and file size of the test images, taken as scores."""
    frames = []
    for variant, known in ((PLAIN, category), (GREY, grey_matched(category))):
        taken = {"mean grey": mean_grey, "contrast": contrast}
        if variant == PLAIN:
            taken["file size"] = file_size
        for name in CONTROLS:
            if name not in taken:
                continue
            value = taken[name](known.test)
            columns = {
                "image": known.test.names,
                "label": known.test.labels,
                "defect_type": known.test.defect_types,
                "score_top10": value,
                "score_mean": value,
                "score_max": value,
            }
            own = {"category": category.name, "variant": variant, "arm": name, "backbone": ""}
            frames.append(pd.DataFrame(own | {"seed": 0} | columns))
    return pd.concat(frames, ignore_index=True)


def nominal_scores(measurement: Measurement) -> pd.DataFrame:
    """Scores that thresholds are learned from: of training or of held-out images."""
    held_out = measurement.run.variant == HELD_OUT
    score = measurement.held_out_scores if held_out else measurement.result.nominal_scores
    kept = measurement.run.variant in (PLAIN, HELD_OUT)
    return pd.DataFrame(identity(measurement.run) | {"score": score if kept else []})


def run_row(measurement: Measurement) -> dict[str, Any]:
    """What there is one of for each run."""
    result = measurement.result
    settings = result.settings
    return identity(measurement.run) | {
        "layers": " + ".join(result.backbone["layers"]) if result.backbone else "",
        "image_size": settings.get("image_size", settings.get("autoencoder_size")),
        "pixel_auroc": measurement.pixel_auroc,
        "aupro": measurement.au_pro,
        "fit_seconds": result.seconds["fit"],
        "score_seconds": result.seconds["score"],
    }


def watched_rows(measurement: Measurement) -> pd.DataFrame:
    """How the autoencoder's score changed along its training."""
    result = measurement.result
    labels, grey = np.array(result.labels), np.array(result.mean_grey)
    rows = []
    for seen in measurement.watched:
        for name in ("top", "all"):
            scores = np.array(seen[name])
            row = {"epoch": seen["epoch"], "aggregation": name}
            row["auroc"] = metrics.auroc(labels, scores)
            row["spearman_grey"] = spearmanr(scores, grey).statistic
            rows.append(identity(measurement.run) | row)
    columns = [*identity(measurement.run), "epoch", "aggregation", "auroc", "spearman_grey"]
    return pd.DataFrame(rows, columns=columns)


def places(category: Category, runs: list[tuple[Run, np.ndarray]]) -> pd.DataFrame:
    """Where in each test image the error is, by its mask.

    ``inside`` and ``outside`` are the mean errors in and around the mask,
    ``usual`` that of the normal test images at the same places as ``inside``,
    ``top_inside`` the share of the ten highest map values that lie in the mask,
    ``area`` the mask's share of the map.

    Parameters
    ----------
    category : Category
    runs : list of (Run, ndarray)
        Runs of the category with their maps (N, H, W).
    """
    masks: dict[int, list[np.ndarray]] = {}
    frames = []
    for run, maps in runs:
        size = maps.shape[-1]
        if size not in masks:
            masks[size] = [cell_mask(category, index, size) for index in range(len(maps))]
        usual = maps[category.test.labels == 0].mean(axis=0)  # (H, W)
        for index, (own, mask) in enumerate(zip(maps, masks[size], strict=True)):
            highest = np.argpartition(own.ravel(), -10)[-10:]
            found = mask.any()
            row = {
                "image": category.test.names[index],
                "defect_type": category.test.defect_types[index],
                "inside": own[mask].mean() if found else np.nan,
                "usual": usual[mask].mean() if found else np.nan,
                "outside": own[~mask].mean(),
                "top_inside": mask.ravel()[highest].mean() if found else np.nan,
                "area": mask.mean(),
            }
            frames.append(identity(run) | row)
    return pd.DataFrame(frames)


def mean_error_maps(experiment: Experiment, runs: list[Run], category: Category) -> pd.DataFrame:
    """The autoencoder's mean error by place, for normal images and each defect type.

    Means over seeds and over all images of a type, on a coarse grid: no picture
    of any part.
    """
    own = [run for run in runs if run.arm == "autoencoder" and run.category == category.name]
    maps = np.mean([experiment.maps(run) for run in own], axis=0)  # (N, H, W)
    cell = maps.shape[-1] // PLACES
    coarse = maps.reshape(len(maps), PLACES, cell, PLACES, cell).mean(axis=(2, 4))  # (N, P, P)
    kinds = np.array(category.test.defect_types)
    frames = []
    for kind in sorted(set(kinds)):
        row, column = np.indices((PLACES, PLACES)).reshape(2, -1)
        error = coarse[kinds == kind].mean(axis=0).ravel().round(7)
        columns = {"defect_type": kind, "row": row, "column": column, "error": error}
        frames.append(pd.DataFrame({"category": category.name} | columns))
    return pd.concat(frames, ignore_index=True)


def provenance(measured: list[Measurement], categories: dict[str, Category]) -> dict[str, Any]:
    """What someone needs to make the same numbers again, and to judge them."""
    results = [measurement.result for measurement in measured]
    backbones = {
        measurement.run.backbone: measurement.result.backbone
        for measurement in measured
        if measurement.result.backbone and measurement.run.variant == PLAIN
    }
    data = {
        name: {"dataset": found.dataset, "sha256": found.fingerprint, "images": found.counts()}
        for name, found in categories.items()
    }
    varying = {"category", "seed", "chosen", "backbone", "layers"}
    settings = {
        result.arm: {key: value for key, value in result.settings.items() if key not in varying}
        for result in results
    }
    return {
        "data": data,
        "backbones": backbones,
        "settings": settings,
        "runs": len(measured),
        "versions": results[0].versions,
        "machines": sorted({result.machine for result in results}),
        "processor_hours": round(sum(sum(r.seconds.values()) for r in results) / 3600, 2),
        "measured": [min(r.date for r in results), max(r.date for r in results)],
        "commit": commit(),
    }

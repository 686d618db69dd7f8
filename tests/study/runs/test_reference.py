import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_category
from anomalylib.metrics.pixel import enlarge, pixel_auroc
from study.names import NORMALISED
from study.runs import measurement, reference
from study.runs.experiment import Experiment
from study.runs.measurement import HELD_OUT, Run, cell_mask
from study.tables import reference as tables

SMALL = {"image_size": 64}


@pytest.fixture(scope="module")
def collected(tiny_root, resnet18_file, tmp_path_factory):
    """A few quick runs on a drawn category, and the tables made of them."""
    folder = tmp_path_factory.mktemp("reference")
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer2")
    experiment = Experiment(str(tiny_root), {"small": backbone}, folder=folder / "runs")
    own = {"category": "screw", "backbone": "small"}
    runs = [
        Run(category="screw", model="autoencoder", changes={"epochs": 1}),
        Run(model="resnet", changes=SMALL, **own),
        Run(model="resnet", variant=HELD_OUT, changes=SMALL, **own),
        Run(model="resnet", variant=NORMALISED, changes=SMALL, **own),
        Run(model="combined", changes=SMALL | {"epochs": 1, "latent": 4}, **own),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "FEATURES", folder)
        for run in runs:
            experiment.work(run, experiment.path(run))
    return experiment, runs, reference.collect(experiment, runs, folder / "tables"), folder


def test_the_tables_are_read_back_as_they_were_made(collected):
    _, _, made, folder = collected
    for name, table in made.items():
        again = tables.read_table(name, folder / "tables")
        assert len(again) == len(table), name
        numbers = table.select_dtypes("number").to_numpy(dtype=float)
        read = again[table.select_dtypes("number").columns].to_numpy(dtype=float)
        assert np.allclose(numbers, read, rtol=1e-8, equal_nan=True), name


def test_every_score_is_that_of_its_measurement(collected):
    experiment, runs, made, _ = collected
    for run in runs:
        own = tables.select(made["scores"], model=run.model, variant=run.variant)
        result = experiment.load(run).result
        assert dict(zip(own.image, own.score_top10, strict=True)) == dict(
            zip(result.names, result.scores, strict=True)
        )


def test_thresholds_learn_from_the_scores_meant_for_them(collected):
    experiment, runs, made, _ = collected
    of = {
        key: rows.score.tolist()
        for key, rows in made["nominal"][made["nominal"].model == "resnet"].groupby(
            ["variant", "images"]
        )
    }
    plain, held_out = experiment.load(runs[1]), experiment.load(runs[2])
    assert of == {
        ("plain", "training"): plain.result.normal_scores,
        ("held-out", "training"): held_out.result.normal_scores,
        ("held-out", "held-out"): held_out.held_out_scores,
    }
    assert NORMALISED not in set(made["nominal"].variant)


def test_controls_are_scored_without_a_detector(collected, tiny_root):
    _, _, made, _ = collected
    category = load_category(tiny_root, "screw")
    own = tables.select(made["scores"], model="file size", variant="plain")
    sizes = [float(path.stat().st_size) for path in category.test.paths]
    assert own.score_top10.tolist() == sizes
    row = tables.select(made["summary"], model="file size").iloc[0]
    assert row.auroc_mean == pytest.approx(roc_auc_score(category.test.labels, sizes))


def test_errors_are_placed_by_the_masks(collected, tiny_root):
    experiment, runs, made, _ = collected
    category, maps = load_category(tiny_root, "screw"), experiment.maps(runs[4])
    index = int(np.flatnonzero(category.test.labels)[0])
    mask = cell_mask(category, index, maps.shape[-1])
    assert mask.any() and not mask.all()
    row = tables.select(made["places"], model="combined", image=category.test.names[index]).iloc[0]
    assert row.inside == pytest.approx(maps[index][mask].mean())
    assert row.outside == pytest.approx(maps[index][~mask].mean())
    assert row.usual == pytest.approx(maps[category.test.labels == 0].mean(axis=0)[mask].mean())
    highest = np.argsort(maps[index].ravel())[-10:]
    assert row.top_inside == pytest.approx(mask.ravel()[highest].mean())


def test_mean_error_maps_keep_the_mean(collected):
    experiment, runs, made, _ = collected
    maps = experiment.maps(runs[0])
    kinds = np.array(experiment.load(runs[0]).result.defect_types)
    own = made["error_maps"]
    assert isinstance(own, pd.DataFrame) and len(own) == 32 * 32 * len(set(kinds))
    good = own[own.defect_type == "good"].error.mean()
    assert good == pytest.approx(maps[kinds == "good"].mean(), rel=1e-3)


def test_the_provenance_is_complete(collected):
    _, runs, _, folder = collected
    said = json.loads((folder / "tables" / "provenance.json").read_text())
    assert said["data"]["screw"]["images"]["train/good"] == 6
    assert said["backbones"]["small"]["name"] == "resnet18"
    assert said["settings"] == {}  # all ran with settings that differ from the defaults
    assert said["runs"] == len(runs)
    assert said["commit"]
    assert said["settings_frozen_at"] == reference.FROZEN


def test_the_light_of_every_image_is_kept(collected, tiny_root):
    made = collected[2]["light"]
    category = load_category(tiny_root, "screw")
    for split, images in (("train", category.train), ("test", category.test)):
        own = tables.select(made, split=split)
        assert own.image.tolist() == images.names
        assert own.label.tolist() == images.labels.tolist()
        grey = [image.astype(float).mean() for image in images]
        assert own.mean_grey.tolist() == pytest.approx(grey)


def test_examples_are_the_telling_images_with_their_maps(collected, tiny_root):
    experiment, runs, made, folder = collected
    category = load_category(tiny_root, "screw")
    own = tables.select(made["examples"], model="combined").set_index("kind")
    scores = np.array(experiment.load(runs[4]).result.scores)
    anomalous, normal = scores[category.test.labels == 1], scores[category.test.labels == 0]
    assert own.score["clear hit"] == anomalous.max() and own.score["worst miss"] == anomalous.min()
    assert own.score["median defect"] == np.sort(anomalous)[len(anomalous) // 2]
    assert own.score["most suspicious normal"] == normal.max()
    with np.load(folder / "tables" / "examples.npz") as arrays:
        maps, masks = (arrays[f"{own.arrays.iloc[0]} {what}"] for what in ("maps", "masks"))
    of_run = experiment.maps(runs[4])
    for kind, each, mask in zip(own.index, maps, masks, strict=True):
        index = category.test.names.index(own.image[kind])
        assert scores[index] == own.score[kind]
        assert each == pytest.approx(of_run[index])
        assert (mask == cell_mask(category, index, len(mask))).all()
    assert set(made["examples"].model) == {"autoencoder", "combined"}  # resnet has no places


def test_pixel_metrics_and_maps_are_those_of_the_runs(collected, tiny_root):
    experiment, runs, made, folder = collected
    assert set(made["pixel"].model) == {"autoencoder", "combined"}  # resnet has no places
    category, run = load_category(tiny_root, "screw"), runs[4]
    row = tables.select(made["pixel"], model="combined").iloc[0]
    masks = np.stack([category.test.mask(i, 256) for i in range(len(category.test))])
    assert row.pixel_auroc == pytest.approx(
        pixel_auroc(enlarge(experiment.maps(run)), masks), abs=1e-3
    )
    with np.load(folder / "tables" / "maps.npz") as arrays:
        maps, scores = (arrays[f"screw combined{what}"] for what in ("", " scores"))
        assert arrays["screw autoencoder"].shape[1:] == (32, 32)
    result, order = experiment.load(run).result, np.argsort(category.test.names)
    assert scores == pytest.approx(np.array(result.scores)[order])
    bright = experiment.maps(run)[order] / (2 * result.threshold)
    assert maps == pytest.approx(np.round(255 * np.clip(bright, 0, 1)), abs=1)


def test_a_part_of_the_plan_gives_the_tables_that_it_can(collected):
    experiment, runs, _, folder = collected
    made = reference.collect(experiment, runs[2:3], folder / "part")
    assert {"scores", "nominal", "summary", "thresholds", "light"} <= set(made)
    assert not {"training", "error_maps", "examples"} & set(made)
    assert {path.stem for path in (folder / "part").glob("*.csv")} == set(made)

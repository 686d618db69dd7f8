import numpy as np
import pytest

from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_category
from study.runs import curve_runs, measurement
from study.runs.curve_runs import SEEDS
from study.runs.experiment import Experiment
from study.runs.measurement import Run
from study.tables import reference as tables


@pytest.fixture(scope="module")
def collected(tiny_root, resnet18_file, tmp_path_factory):
    """A few quick runs on a drawn category, and the tables made of them."""
    folder = tmp_path_factory.mktemp("curve")
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer2")
    experiment = Experiment(str(tiny_root), {"small": backbone}, folder=folder / "runs")
    shared = {"category": "screw", "backbone": "small"}
    runs = [
        Run(model="patchcore", **shared),
        Run(model="patchcore", images=3, **shared),
        Run(model="combined", images=2, **shared),
        Run(model="combined", images=2, changes={"epochs": 12}, **shared),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "FEATURES", folder)
        for run in runs:
            experiment.work(run, experiment.path(run))
    return experiment, runs, curve_runs.collect(experiment, runs, folder / "tables"), folder


def test_every_model_learns_from_every_size_and_from_all(collected):
    runs = curve_runs.plan(collected[0], ["metal_nut", "screw"], sizes=(2, 4, 9))
    curves = [run for run in runs if not run.changes]
    again = [run for run in runs if run.changes]
    assert len({run.name for run in runs}) == len(runs)
    assert len(curves) == 2 * 3 * sum(SEEDS.values())
    assert len(again) == 2 * 2 * SEEDS["combined"]  # with all images the steps are equal anyway
    assert {run.model for run in again} == {"combined"} and {run.images for run in again} == {2, 4}
    assert {run.changes["epochs"] for run in again} == {6, 12}  # 4 over 6 images
    assert {run.images for run in runs} == {2, 4, 0}
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)


def test_the_table_is_sorted_and_read_back(collected):
    _, _, made, folder = collected
    curve = made["learning_curve"]
    assert curve.model.tolist() == ["combined", "patchcore", "patchcore"]
    assert curve.images.tolist() == [2, 3, 6] and curve.n_unlearned.tolist() == [4, 3, 0]
    read = tables.read_table("learning_curve", folder / "tables")
    assert read.threshold.to_numpy() == pytest.approx(curve.threshold.to_numpy())


def test_equal_steps_are_more_passes_over_the_same_images(collected):
    experiment, runs, made, _ = collected
    usual, equal = (experiment.load(run) for run in runs[2:])
    (row,) = made["equal_steps"].to_dict("records")
    assert row["epochs"] == 12 and row["images"] == 2 and row["n_unlearned"] == 4
    assert equal.result.normal_scores != usual.result.normal_scores


def test_alarms_are_counted_on_the_scores_of_the_run(collected, tiny_root):
    experiment, runs, made, _ = collected
    measurement, row = experiment.load(runs[1]), made["learning_curve"].iloc[1]
    called = np.array(measurement.result.scores) > row.threshold
    assert row.false_alarms == called[load_category(tiny_root, "screw").test.labels == 0].sum()
    assert row.unlearned_alarms == (np.array(measurement.held_out_scores) > row.threshold).sum()

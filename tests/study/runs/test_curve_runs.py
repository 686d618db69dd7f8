import pytest

from anomalylib.detectors.combined import Combined
from anomalylib.errors import UserError
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_category
from study.runs import curve_runs
from study.runs.curve_runs import SEEDS, Curve, CurveRun
from study.runs.learning_curve import judge
from study.runs.measurement import measure
from study.tables import reference as tables


@pytest.fixture(scope="module")
def collected(tiny_root, resnet18_file, tmp_path_factory):
    """A few quick runs on a drawn category, and the table made of them."""
    folder = tmp_path_factory.mktemp("curve")
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer2")
    experiment = Curve(str(tiny_root), {"small": backbone}, folder / "runs")
    runs = [CurveRun("screw", "patchcore", "small", images, 0) for images in (6, 3)]
    runs += [CurveRun("screw", "combined", "small", 2, 0, equal) for equal in (False, True)]
    assert experiment.carry_out(runs, jobs=2) == 4
    return experiment, runs, curve_runs.collect(experiment, runs, folder / "tables"), folder


def test_every_arm_learns_from_every_size_and_from_all(collected):
    runs = curve_runs.curve_runs(collected[0], ["metal_nut", "screw"], sizes=(2, 4, 9))
    curves = [run for run in runs if not run.equal_steps]
    again = [run for run in runs if run.equal_steps]
    assert len({run.name for run in runs}) == len(runs)
    assert len(curves) == 2 * 3 * sum(SEEDS.values())
    assert len(again) == 2 * 2 * SEEDS["combined"]  # with all images the steps are equal anyway
    assert {run.arm for run in again} == {"combined"} and {run.images for run in again} == {2, 4}
    assert {run.images for run in runs} == {2, 4, 6}
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)


def test_with_all_images_a_run_is_the_plain_one(collected, tiny_root, resnet18_file, tmp_path):
    experiment, runs, _, _ = collected
    weights = ("resnet18", str(resnet18_file), "layer2")
    plain, _ = measure(runs[0].plain, str(tiny_root), weights, tmp_path)
    found = experiment.load(runs[0])
    assert found["scores"] == plain.result.scores
    assert found["nominal_scores"] == plain.result.nominal_scores
    assert found["row"]["threshold"] == plain.result.threshold


def test_the_table_is_sorted_and_read_back(collected):
    _, _, made, folder = collected
    curve = made["learning_curve"]
    assert curve.arm.tolist() == ["combined", "patchcore", "patchcore"]
    assert curve.images.tolist() == [2, 3, 6] and curve.n_unlearned.tolist() == [4, 3, 0]
    read = tables.read_table("learning_curve", folder / "tables")
    assert read.threshold.to_numpy() == pytest.approx(curve.threshold.to_numpy())


def test_equal_steps_are_more_passes_over_the_same_images(collected, tiny_root, resnet18_file):
    experiment, runs, _, folder = collected
    usual, equal = (experiment.load(run) for run in runs[2:])
    (row,) = tables.read_table("equal_steps", folder / "tables").to_dict("records")
    assert row["epochs"] == 12  # 4 over 6 images
    assert usual["row"]["n_unlearned"] == row["n_unlearned"] == 4
    assert equal["nominal_scores"] != usual["nominal_scores"]
    extractor = FeatureExtractor(resolve_backbone("resnet18", str(resnet18_file), "layer2"))
    detector = Combined(extractor, epochs=12, seed=0, keep=False)
    direct = judge(detector, load_category(tiny_root, "screw"), 2, 0)
    assert equal["scores"] == pytest.approx(direct.scores.tolist(), rel=1e-5)


def test_a_second_time_nothing_is_measured_and_another_size_has_another_key(collected):
    experiment, runs, _, _ = collected
    assert experiment.carry_out(runs, jobs=1) == 0
    other = runs[0]._replace(images=5)
    assert experiment.key(other) != experiment.key(runs[0])
    with pytest.raises(UserError, match="no run to read at"):
        experiment.load(other)

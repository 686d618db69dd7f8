import numpy as np
import pytest

from anomalylib.detectors.combined import Combined
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_category
from study.runs import layer_runs as layers
from study.runs.layer_runs import LayerRun


@pytest.fixture(scope="module")
def collected(tiny_root, resnet18_file, tmp_path_factory):
    """One layer and two on a drawn category, and the table made of them."""
    folder = tmp_path_factory.mktemp("layers")
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer1,layer2")
    experiment = layers.open_experiment(str(tiny_root), {"small": backbone}, folder=folder / "runs")
    runs = [LayerRun("screw", "small", name, 4) for name in ("layer2", "layer1,layer2")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "FEATURES", folder / "features")
        for run in runs:
            experiment.work(run, experiment.path(run))
    return backbone, layers.collect(experiment, runs, folder / "tables")


def test_every_choice_of_layers_and_code_is_planned_once():
    class Experiment:
        first_backbone = "first"

    runs = layers.plan(Experiment(), ["screw", "metal_nut"])
    assert len(runs) == len({run.name for run in runs}) == 2 * 3 * 4
    assert {run.backbone for run in runs} == {"first"}


def test_the_scores_are_those_of_a_detector_on_those_layers(collected, tiny_root, tmp_path):
    backbone, tables = collected
    table = tables["layer_scores"]
    category = load_category(tiny_root, "screw")
    detector = Combined(FeatureExtractor(backbone), latent=4, cache=tmp_path, keep=False)
    scores = detector.fit(category.train).score_samples(category.test)
    rows = table[table.layers == "layer1,layer2"]
    assert rows.image.tolist() == category.test.names
    assert rows.label.tolist() == category.test.labels.tolist()
    assert rows.score_top10.to_numpy() == pytest.approx(scores)
    assert rows.score_top10.tolist() != table[table.layers == "layer2"].score_top10.tolist()


def test_errors_are_in_units_of_a_normal_patch(collected):
    bins = collected[1]["layers"]
    for _, rows in bins[bins.kind == "normal"].groupby("layers"):
        assert np.average(rows.error, weights=rows.patches) == pytest.approx(1, abs=1e-4)

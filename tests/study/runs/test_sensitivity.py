import numpy as np
import pandas as pd
import pytest

from anomalylib.features.weights import DEFAULT_LAYERS, HE, resolve_backbone
from study.runs import sensitivity
from study.runs.experiment import Experiment
from study.settings import make_settings


@pytest.fixture
def offline(tiny_root, tmp_path):
    lite0 = resolve_backbone("efficientnet_lite0")
    return Experiment(str(tiny_root), {"lite0": lite0}, folder=tmp_path)


def test_every_level_is_a_setting_that_its_models_know():
    for level in sensitivity.LEVELS:
        for model in level.models:
            make_settings(model, level.changes)
        assert level.factor in sensitivity.USUAL


def test_no_level_repeats_the_usual_value():
    for level in sensitivity.LEVELS:
        if not level.exported:
            for model in level.models:
                assert make_settings(model, level.changes) != make_settings(model, {})


def test_levels_of_resnet50_he_need_one(offline):
    runs = sensitivity.level_runs(offline, ["screw"])
    assert sensitivity.plan(offline, ["screw"]) == [run for _, run in runs]
    assert not any(level.exported for level, _ in runs)
    assert {run.backbone for _, run in runs} == {"lite0", ""}
    names = [run.name for _, run in runs]
    assert len(set(names)) == len(names)
    assert HE not in names


def test_levels_of_resnet50_he_name_its_layers(offline, tmp_path):
    path = tmp_path / "made.pt2"
    path.write_bytes(b"a program")
    offline.backbones["he"] = resolve_backbone(HE, str(path))
    runs = sensitivity.level_runs(offline, ["screw"])
    taken = {level.value: (run.backbone, run.changes) for level, run in runs if level.exported}
    one, two = ({"layers": layer} for layer in DEFAULT_LAYERS[HE])
    assert taken == {"He layer2": ("he", one), "He layer3": ("he", two), "He both": ("he", {})}


def test_the_table_compares_with_the_usual_value():
    random = np.random.default_rng(0)
    labels = np.array([0] * 10 + [1] * 12)
    frames = []
    for value, strength in (("50", 1.0), ("200", 3.0)):
        own = {"category": "nut", "model": "combined", "factor": "latent channels", "value": value}
        own |= {"seed": 0, "image": [f"{i:02d}" for i in range(22)], "label": labels}
        frames.append(
            pd.DataFrame(own | {"score_top10": random.normal(size=22) + strength * labels})
        )
    table = sensitivity.summarise(pd.concat(frames)).set_index("value")
    assert table.usual.to_dict() == {"50": True, "200": False}
    assert table.change["50"] == 0 and table.p["50"] == 1
    assert table.change["200"] == pytest.approx(table.auroc["200"] - table.auroc["50"])

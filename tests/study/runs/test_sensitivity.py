from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from anomalylib.features.weights import LITE0
from study.runs import sensitivity
from study.runs.experiment import Experiment
from study.runs.plan import plan
from study.settings import make_settings

PAIR, OTHER = SimpleNamespace(layers=("layer2", "layer3")), SimpleNamespace(layers=("layer2",))


def test_every_level_is_a_setting_that_its_models_know():
    for level in sensitivity.LEVELS:
        for model in level.models:
            make_settings(model, level.changes)
        assert level.factor in sensitivity.USUAL


def test_no_level_repeats_the_usual_value():
    for level in sensitivity.LEVELS:
        for model in level.models if not level.second else ():
            assert make_settings(model, level.changes) != make_settings(model, {})


def test_every_level_is_planned_once_with_its_backbone():
    experiment = Experiment("", {"first": PAIR, "second": OTHER, LITE0: PAIR})
    runs = sensitivity.level_runs(experiment, ["screw"])
    assert sensitivity.plan(experiment, ["screw"]) == [run for _, run in runs]
    planned = {(level.factor, level.value) for level, _ in runs if level.factor}
    assert planned == {(level.factor, level.value) for level in sensitivity.LEVELS}
    names = [run.name for _, run in runs]
    assert len(set(names)) == len(names)
    for level, run in runs:
        of_features = "second" if level.second else "first"
        assert run.backbone == ("" if run.model == "autoencoder" else of_features)


def test_levels_that_the_backbones_do_not_have_are_left_out():
    runs = sensitivity.level_runs(Experiment("", {"only": OTHER, LITE0: PAIR}), ["screw"])
    assert not any(level.second for level, _ in runs)
    assert {level.changes.get("layers", "layer2") for level, _ in runs} == {"layer2"}


def test_layers_alone_are_runs_of_the_reference():
    experiment = Experiment("", {"first": PAIR, "second": OTHER})
    reference = set(map(str, plan(experiment, ["screw"], seeds=1)))
    for level, run in sensitivity.level_runs(experiment, ["screw"]):
        if "layers" in level.changes and run.model != "resnet":
            assert str(run) in reference


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

import pandas as pd
import pytest

from study.runs import commands, experiment, reference
from study.runs.controls import random_resnet50
from study.runs.measurement import UNTRAINED, Run


@pytest.mark.parametrize("command", commands.COMMANDS)
def test_every_command_has_runs_with_names_of_their_own(command, tiny_root):
    module = commands.importlib.import_module(commands.COMMANDS[command])
    backbones = {"lite0": experiment.resolve_backbone("efficientnet_lite0")}
    opened = module.open_experiment(str(tiny_root), backbones)
    runs = module.plan(opened, ["screw"])
    assert {run.category for run in runs} == {"screw"}
    assert {run.backbone for run in runs} <= {"", "lite0"}
    assert len({run.name for run in runs}) == len({opened.key(run) for run in runs}) > 1


def test_a_small_reference_is_measured_from_end_to_end(tiny_root, tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "open_experiment", small_experiment(tmp_path / "runs"))
    monkeypatch.setattr(reference, "plan", small_plan)
    given = {"categories": ["screw"], "data_root": str(tiny_root), "jobs": 1}
    given |= {"weights": [str(random_resnet50(tmp_path, 0))], "output": str(tmp_path / "tables")}
    said = commands.carry_out("reference", **given)
    assert said.startswith("4 of 4 runs measured now")
    scores = pd.read_csv(tmp_path / "tables" / "scores.csv", keep_default_na=False)
    assert set(scores.model) == {"autoencoder", "resnet", "mean grey", "contrast", "file size"}
    assert {"efficientnet_lite0", "resnet50", ""} == set(scores.backbone)
    assert commands.carry_out("reference", **given).startswith("0 of 4 runs measured now")


def small_experiment(folder):
    return lambda data_root, backbones: experiment.Experiment(data_root, backbones, folder=folder)


def small_plan(opened, categories):
    small = {"changes": {"image_size": 64}, "model": "resnet"}
    return [
        run
        for name in categories
        for run in (
            Run(category=name, model="autoencoder", changes={"epochs": 1}),
            Run(category=name, backbone="efficientnet_lite0", **small),
            Run(category=name, backbone=opened.first_backbone, **small),
            Run(category=name, backbone=opened.first_backbone, variant=UNTRAINED, **small),
        )
    ]

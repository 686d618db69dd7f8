import json

import dask
import pytest
from distributed import LocalCluster

from anomalylib.errors import UserError
from anomalylib.features.weights import resolve_backbone
from study.runs import experiment
from study.runs.controls import random_resnet50
from study.runs.experiment import Experiment, resolve_backbones
from study.runs.measurement import Run

RUNS = [
    Run(category=category, arm="resnet", backbone="small", changes={"image_size": 64})
    for category in ("metal_nut", "screw")
]


@pytest.fixture
def small(tiny_root, resnet18_file, tmp_path):
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer2")
    return Experiment(str(tiny_root), {"small": backbone}, tmp_path / "runs")


def test_runs_are_done_once_and_a_missing_one_again_with_the_same_scores(small, tmp_path):
    assert small.carry_out(RUNS, jobs=2) == 2
    first = [small.load(run).result.scores for run in RUNS]
    assert small.carry_out(RUNS, jobs=2) == 0
    small.path(RUNS[0]).unlink()
    here = {"processes": False, "protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"temporary-directory": str(tmp_path)}),
        LocalCluster(n_workers=1, threads_per_worker=1, **here) as cluster,
    ):
        assert small.carry_out(RUNS, scheduler=cluster.scheduler_address) == 1
    assert [small.load(run).result.scores for run in RUNS] == first
    assert small.maps(RUNS[0]).shape == (len(first[0]), 1, 1)


def test_the_key_follows_data_settings_and_weights(small, tiny_root, resnet18_file):
    run = RUNS[0]
    other = Experiment(
        str(tiny_root),
        {"small": resolve_backbone("resnet18", str(resnet18_file), "layer1")},
        small.folder,
    )
    changed = run.model_copy(update={"changes": {"image_size": 96}})
    keys = {small.key(run), other.key(run), small.key(changed), small.key(RUNS[1])}
    assert len(keys) == 4


def test_a_failed_run_is_named_and_the_others_are_kept(small):
    wrong = Run(category="metal_nut", arm="resnet", backbone="small", changes={"layers": "layer9"})
    with pytest.raises(UserError, match=r"metal_nut.*layer9.*no layer.*run again to go on"):
        small.carry_out([wrong, RUNS[0]], jobs=1)
    assert small.path(RUNS[0]).is_file()


def test_what_is_no_measurement_is_said(small):
    path = small.path(RUNS[0])
    with pytest.raises(UserError, match="run again to make it"):
        small.load(RUNS[0])
    path.parent.mkdir()
    path.write_text(json.dumps({"run": 1}))
    with pytest.raises(UserError, match="delete it and run again"):
        small.load(RUNS[0])


def test_backbones_are_named_by_the_caller_or_by_themselves(tmp_path):
    file = random_resnet50(tmp_path, 0)
    found = resolve_backbones([str(file), f"mine={file}"])
    assert list(found) == ["resnet50", "mine", "efficientnet_lite0"]
    assert found["resnet50"].layers == ("layer2",)


def test_every_module_a_score_depends_on_is_watched(small, monkeypatch):
    before = small.key(RUNS[0])
    monkeypatch.setattr(experiment, "MODULES", experiment.MODULES[1:])
    assert small.key(RUNS[0]) != before

import threading
import time
from collections import Counter
from concurrent import futures

import dask
import numpy as np
import pytest
from distributed import LocalCluster
from pydantic import BaseModel

from anomalylib import sources
from anomalylib.errors import UserError
from anomalylib.features.weights import resolve_backbone
from study.runs.controls import random_resnet50
from study.runs.experiment import Experiment, resolve_backbones
from study.runs.measurement import Run

RUNS = [Run(category=category, model="autoencoder") for category in ("metal_nut", "screw")]


class Record(BaseModel):
    category: str
    images: int


def count(run, category, backbone, folder):
    """A measure that takes no time to speak of, and notes that it was called."""
    with (folder / "calls").open("a") as file:
        file.write(f"{run.name}\n")
    if run.seed == 13:
        raise UserError("no luck")
    time.sleep(0.1)
    return Record(category=run.category, images=len(category.test)), np.ones((2, 4, 4)) / 3


class Here(futures.ThreadPoolExecutor):
    """A worker in this process."""

    width = 1

    def __init__(self, jobs, scheduler, quiet):
        super().__init__(1)


def calls(experiment):
    return Counter((experiment.folder / "calls").read_text().split())


@pytest.fixture
def counting(tiny_root, resnet18_file, tmp_path, monkeypatch):
    monkeypatch.setattr("study.runs.experiment.code_of", lambda *modules: "this code")
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer2")
    return Experiment(str(tiny_root), {"small": backbone}, count, Record, tmp_path / "runs")


def test_runs_are_measured_once_and_a_missing_one_again(counting, tmp_path):
    assert counting.carry_out(RUNS, jobs=1) == 2
    assert counting.carry_out(RUNS, jobs=1) == 0
    assert counting.load(RUNS[1]) == Record(category="screw", images=7)
    assert counting.maps(RUNS[0]) == pytest.approx(np.ones((2, 4, 4)) / 3, rel=1e-3)
    counting.path(RUNS[0]).unlink()
    here = {"processes": False, "protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"temporary-directory": str(tmp_path)}),
        LocalCluster(n_workers=1, threads_per_worker=1, **here) as cluster,
    ):
        assert counting.carry_out(RUNS, scheduler=cluster.scheduler_address) == 1
    assert calls(counting) == {RUNS[0].name: 2, RUNS[1].name: 1}


def test_two_workers_on_one_run_measure_it_once(counting):
    path = counting.path(RUNS[0])
    both = [threading.Thread(target=counting.work, args=(RUNS[0], path)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert path.is_file() and calls(counting) == {RUNS[0].name: 1}


def test_a_failed_run_is_named_and_the_others_are_kept(counting, monkeypatch):
    monkeypatch.setattr("study.runs.experiment.workers", Here)
    unlucky = Run(category="screw", model="autoencoder", seed=13)
    with pytest.raises(UserError, match=r"^screw-plain-autoencoder-seed13: no luck.*run again"):
        counting.carry_out([unlucky, RUNS[0]], jobs=1)
    assert counting.path(RUNS[0]).is_file() and not counting.path(unlucky).is_file()


def test_the_key_follows_data_settings_and_weights(counting, tiny_root, resnet18_file):
    run = Run(category="metal_nut", model="resnet", backbone="small")
    layer1 = resolve_backbone("resnet18", str(resnet18_file), "layer1")
    others = [
        Experiment(str(tiny_root), {"small": layer1}).key(run),
        counting.key(run.model_copy(update={"changes": {"image_size": 96}})),
        counting.key(run.model_copy(update={"images": 3})),
        counting.key(run.model_copy(update={"category": "screw"})),
    ]
    assert len({counting.key(run), *others}) == 5
    assert Experiment(str(tiny_root), counting.backbones, count).key(run) == counting.key(run)


def test_an_edited_detector_moves_the_keys_of_what_uses_it(tiny_root, monkeypatch):
    models = ("autoencoder", "resnet", "combined", "patchcore")
    runs = [Run(category="screw", model=model) for model in models]

    def keys():
        return [Experiment(str(tiny_root), {}).key(run) for run in runs]

    before, sha256_of = keys(), sources.sha256_of

    def edited(path):
        return "edited" if path.match("detectors/patchcore.py") else sha256_of(path)

    monkeypatch.setattr(sources, "sha256_of", edited)
    moved = [one != other for one, other in zip(before, keys(), strict=True)]
    assert moved == [False, False, False, True]


def test_what_is_no_measurement_is_said(counting):
    path = counting.path(RUNS[0])
    with pytest.raises(UserError, match="run again to make it"):
        counting.load(RUNS[0])
    path.parent.mkdir()
    path.write_text('{"category": 1}')
    with pytest.raises(UserError, match="delete it and run again"):
        counting.load(RUNS[0])


def test_backbones_are_named_by_the_caller_or_by_themselves(tmp_path):
    file = random_resnet50(tmp_path, 0)
    backbones = resolve_backbones([str(file), f"mine={file}"])
    assert list(backbones) == ["resnet50", "mine", "efficientnet_lite0"]
    assert backbones["resnet50"].layers == ("layer2", "layer3")
    program = tmp_path / "made.pt2"
    program.write_bytes(b"by a reader, with another PyTorch")
    backbones = resolve_backbones([f"resnet50-he={program}", f"mine={program}"])
    named = {name: (each.name, each.layers) for name, each in backbones.items()}
    assert named["resnet50-he"] == ("resnet50-he", ("layer2", "layer3"))
    assert named["mine"] == ("exported", ())

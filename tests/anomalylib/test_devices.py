import numpy as np
import pytest
import torch

import anomalylib as al
from anomalylib import devices
from anomalylib.detectors.networks import FeatCAE
from anomalylib.detectors.patchcore import NearestPatch
from anomalylib.detectors.pooled import NearestImage
from anomalylib.detectors.registry import DETECTORS
from anomalylib.detectors.training import ReconstructionError
from anomalylib.devices import computing, describe_device, resolve_device
from anomalylib.errors import UserError
from anomalylib.features.extractor import FeatureExtractor, _exported
from anomalylib.features.weights import resolve_backbone
from tests.anomalylib.accelerator import NAME, fake_accelerator
from tests.anomalylib.drawn import NORMAL, Pair, saved_program, spoiled

REAL = [name for name in ("cuda", "mps") if devices._count(name)] or [
    pytest.param("", marks=pytest.mark.skip(reason="PyTorch finds no accelerator here"))
]


@pytest.fixture
def machine(monkeypatch):
    """Let PyTorch find so many devices of each kind."""

    def has(**counts):
        monkeypatch.setattr(devices, "_count", lambda kind: counts.get(kind, 0))

    return has


def detector_of(model, resnet18_file, device, **more):
    """A small detector that computes on a device."""
    settings = {"autoencoder": {"epochs": 2, "batch_size": 4}, "combined": {"epochs": 2}}
    given = settings.get(model, {}) | {"keep": False} | more
    if model == "autoencoder":
        return DETECTORS[model](device=device, side=64, **given)
    backbone = resolve_backbone("resnet18", str(resnet18_file))
    return DETECTORS[model](FeatureExtractor(backbone, image_size=64, device=device), **given)


def test_auto_takes_an_accelerator_where_there_is_one(machine):
    machine()
    assert resolve_device("auto") == torch.device("cpu")
    machine(mps=1)
    assert resolve_device("auto") == torch.device("mps", 0)
    machine(cuda=1, mps=1)
    assert resolve_device("auto") == torch.device("cuda", 0)


def test_a_device_that_is_asked_for_is_taken(machine):
    machine(cuda=2)
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("cuda") == torch.device("cuda", 0)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cuda:2", "no device 'cuda:2' here: PyTorch finds 2 of cuda; give auto or cpu"),
        ("mps", "no device 'mps' here: PyTorch finds 0 of mps; give auto or cpu"),
        ("gpu", "no device 'gpu': give auto, cpu, cuda, cuda:1 or mps"),
        ("xpu", "no device 'xpu': give auto, cpu, cuda, cuda:1 or mps"),
        ("", "no device '': give auto, cpu, cuda, cuda:1 or mps"),
    ],
)
def test_a_device_that_is_not_there_is_refused(name, why, machine):
    machine(cuda=2)
    with pytest.raises(UserError) as refusal:
        resolve_device(name)
    assert str(refusal.value) == why


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("x"), RuntimeError("MPS out of memory")])
def test_want_of_memory_names_the_setting_to_lower(error, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    with (
        pytest.raises(
            UserError, match="cuda:0, a card has too little memory: lower batch_size, or"
        ),
        computing(torch.device("cuda", 0), "batch_size"),
    ):
        raise error


def test_on_an_accelerator_algorithms_are_deterministic_and_only_there():
    with computing(torch.device("cpu"), "x"):
        assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match=r"^another$"), computing(torch.device("mps", 0), "x"):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.allow_tf32
        raise RuntimeError("another")
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("model", DETECTORS)
def test_every_model_computes_on_the_accelerator_alone(model, room, resnet18_file):
    with fake_accelerator(room):
        detector = detector_of(model, resnet18_file, NAME)
        maps = detector.fit(NORMAL).anomaly_maps(NORMAL[:3])
        assert len(maps) == len(detector.score_samples(NORMAL[:3])) == 3
        assert detector.normal_scores_.shape == (len(NORMAL),)
        assert len(detector.gallery().vectors) == len(NORMAL)
        held = [*detector.model_.parameters(), *detector.model_.buffers()]
        assert {str(tensor.device) for tensor in held} == {NAME}


def to_cpu(function):
    """The function, whose result goes back to the processor too early."""
    return lambda *given, **named: function(*given, **named).to("cpu")


SPOILED = {
    "autoencoder": (ReconstructionError, "forward"),
    "resnet": (NearestImage, "distances"),
    "combined": (FeatCAE, "forward"),
    "patchcore": (NearestPatch, "forward"),
}


@pytest.mark.parametrize("model", SPOILED)
def test_what_is_computed_elsewhere_is_noticed(model, resnet18_file, monkeypatch):
    kind, method = SPOILED[model]
    monkeypatch.setattr(kind, method, to_cpu(getattr(kind, method)))
    with fake_accelerator(), pytest.raises((RuntimeError, AssertionError), match="cpu"):
        detector_of(model, resnet18_file, NAME).fit(NORMAL).anomaly_maps(NORMAL[:3])


def test_features_stay_on_the_accelerator_and_are_computed_once(category_folder, resnet18_file):
    parts = al.load_category(category_folder, "bolt")
    with fake_accelerator():
        detector = detector_of("patchcore", resnet18_file, NAME)
        features = detector.prepare(parts.train)
        assert features.device == torch.device(NAME) and features.dtype == torch.float16
        assert detector.prepare(parts.train) is features
        assert len(detector.prepare(parts.test)) == len(parts.test)


def test_an_exported_program_computes_where_it_is_sent(tmp_path):
    path = saved_program(Pair((4, 8), (8, 2), (0.1, 0.2)), tmp_path / "program.pt2")
    backbone = resolve_backbone("exported", path)
    maps = _exported(backbone, torch.device("meta"))(torch.zeros(2, 3, 64, 64, device="meta"))
    assert [(each.device.type, each.shape[1]) for each in maps] == [("meta", 4), ("meta", 8)]


@pytest.mark.parametrize("model", DETECTORS)
def test_a_saved_detector_loads_on_any_device(model, resnet18_file, tmp_path):
    detector = detector_of(model, resnet18_file, "cpu").fit(NORMAL)
    path = al.save(detector, tmp_path / "detector.safetensors")
    assert np.array_equal(
        al.load(path, str(resnet18_file), "cpu").score_samples(NORMAL),
        detector.score_samples(NORMAL),
    )
    with fake_accelerator():
        there = al.load(path, str(resnet18_file) * (model != "autoencoder"), NAME)
        assert there.score_samples(NORMAL[:2]).shape == (2,)
    with pytest.raises(UserError, match="no device 'cuda:99' here"):
        al.load(path, str(resnet18_file), "cuda:99")


def test_onnx_is_written_on_the_processor(resnet18_file, tmp_path):
    with fake_accelerator():
        detector = detector_of("resnet", resnet18_file, NAME).fit(NORMAL)
        with pytest.raises(UserError, match=r"this detector is on cuda:1, .* device='cpu'"):
            al.to_onnx(detector, tmp_path / "detector.onnx")


@pytest.mark.parametrize("device", REAL)
@pytest.mark.parametrize("model", DETECTORS)
def test_on_a_real_accelerator_one_seed_gives_one_result(model, device, resnet18_file):
    images = [*NORMAL, *map(spoiled, NORMAL[:3])]
    there = [
        detector_of(model, resnet18_file, device).fit(NORMAL).score_samples(images)
        for _ in range(2)
    ]
    here = detector_of(model, resnet18_file, "cpu").fit(NORMAL).score_samples(images)
    assert np.array_equal(*there)
    assert np.allclose(there[0], here, rtol=0.05)
    assert describe_device(resolve_device(device)).startswith(device)

import hashlib

import pytest
import safetensors.torch
import torch

from anomalylib.errors import UserError
from anomalylib.features import weights
from anomalylib.features.weights import HALF, IMAGENET, resolve_backbone


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("network is unreachable")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


def test_auto_takes_the_offline_backbone_and_says_so():
    backbone = resolve_backbone("auto")
    assert backbone.name == "efficientnet_lite0"
    assert backbone.layers == ("blocks.2", "blocks.4")
    assert (backbone.mean, backbone.std) == HALF
    assert "auto" in backbone.chosen


def test_a_backbone_asked_for_by_name_is_never_replaced():
    with pytest.raises(UserError, match=r"cannot download the weights of resnet50.*by hand"):
        resolve_backbone("resnet50")


def test_auto_takes_what_torch_hub_has_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    content = b"stands in for ResNet-50"
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(weights.RESNETS, "resnet50", f"resnet50-{digest[:8]}.pth")
    path = tmp_path / "hub" / "checkpoints" / f"resnet50-{digest[:8]}.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    backbone = resolve_backbone("auto")
    assert (backbone.name, backbone.path, backbone.sha256) == ("resnet50", path, digest)
    assert (backbone.mean, backbone.std) == IMAGENET


def test_a_given_file_decides_backbone_and_layers(tmp_path):
    path = tmp_path / "part.safetensors"
    safetensors.torch.save_file({"conv1.weight": torch.zeros(1), "layer2.0": torch.ones(1)}, path)
    backbone = resolve_backbone("auto", str(path))
    assert (backbone.name, backbone.layers) == ("resnet50", ("layer2",))
    assert resolve_backbone("auto", str(path), "layer1,layer2").layers == ("layer1", "layer2")
    assert backbone.describe()["path"] == "part.safetensors"


def test_a_wrong_hash_is_refused(tmp_path):
    path = tmp_path / "resnet50-0676ba61.pth"
    path.write_bytes(b"cut short")
    with pytest.raises(UserError, match=r"resnet50-0676ba61\.pth.*SHA-256.*0676ba61"):
        resolve_backbone("resnet50", str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet51",), "no backbone 'resnet51'; known: auto"),
        (("auto", "nowhere.pth"), r"no weights file at nowhere\.pth"),
        (("exported",), "needs WEIGHTS"),
    ],
)
def test_what_cannot_be_found_is_said(arguments, message):
    with pytest.raises(UserError, match=message):
        resolve_backbone(*arguments)


def test_files_that_are_no_weights_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x08" + b"\0" * 40)
    with pytest.raises(UserError, match="no safetensors file"):
        resolve_backbone("auto", str(path))
    path = tmp_path / "x.pth"
    path.write_bytes(b"not a pickle")
    with pytest.raises(UserError, match="holds no PyTorch weights"):
        weights.load_tensors(resolve_backbone("resnet50", str(path)))
    path.write_bytes(b"")
    with pytest.raises(UserError, match="holds no PyTorch weights"):
        weights.load_tensors(resolve_backbone("resnet50", str(path)))
    torch.save([1, 2], path)
    with pytest.raises(UserError, match="no tensors by name"):
        weights.load_tensors(resolve_backbone("resnet50", str(path)))


def test_a_file_without_the_usual_layers_is_refused(tmp_path):
    path = tmp_path / "stem.safetensors"
    safetensors.torch.save_file({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="holds none of layer2, layer3"):
        resolve_backbone("auto", str(path))

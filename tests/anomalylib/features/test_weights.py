import email.message
import hashlib
import io

import numpy as np
import pytest
import safetensors.torch
import torch

from anomalylib.errors import UserError
from anomalylib.features import weights
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import HALF, IMAGENET, resolve_backbone

DOWNLOAD = torch.hub.download_url_to_file


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


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Answer PyTorch's downloads with some bytes; give what was asked for."""
    asked = []

    def serve(content):
        def answer(request):
            asked.append(request.full_url)
            page = io.BytesIO(content)
            page.info = email.message.Message
            return page

        monkeypatch.setattr(torch.hub, "urlopen", answer)
        monkeypatch.setattr(torch.hub, "download_url_to_file", DOWNLOAD)
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        return asked

    return serve


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("resnet50", "resnet50-0676ba61.pth"),
        ("resnet50-imagenet1k-v2", "resnet50-11ad3fa6.pth"),
    ],
)
def test_torchvisions_files_are_downloaded_once_and_checked(
    name, file, served, tmp_path, monkeypatch
):
    folder, content = tmp_path / "hub" / "checkpoints", b"stands in for the weights"
    asked = served(content)
    with pytest.raises(UserError, match=rf"cannot download the weights of {name}.*invalid hash"):
        resolve_backbone(name)
    assert asked == [f"https://download.pytorch.org/models/{file}"]
    assert list(folder.iterdir()) == []
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(weights.RESNETS, name, f"resnet50-{digest[:8]}.pth")
    backbone = resolve_backbone(name)
    assert (backbone.name, backbone.layers) == (name, ("layer2", "layer3"))
    assert (backbone.path, backbone.sha256) == (folder / f"resnet50-{digest[:8]}.pth", digest)
    assert (backbone.mean, backbone.std) == IMAGENET
    assert resolve_backbone(name) == backbone and len(asked) == 2


def test_a_file_of_torchvision_is_called_by_its_own_name(tmp_path, monkeypatch):
    digest = hashlib.sha256(b"v2").hexdigest()
    path = tmp_path / f"resnet50-{digest[:8]}.pth"
    path.write_bytes(b"v2")
    assert resolve_backbone("auto", str(path)).name == "resnet50"
    monkeypatch.setitem(weights.RESNETS, "resnet50-imagenet1k-v2", path.name)
    assert resolve_backbone("auto", str(path)).name == "resnet50-imagenet1k-v2"
    assert resolve_backbone("resnet50", str(path)).name == "resnet50"


def test_the_second_weights_are_of_the_same_network(tmp_path):
    import torchvision

    state = torchvision.models.resnet50(weights=None).state_dict()
    kept = {name: t for name, t in state.items() if name.startswith(("conv1", "bn1", "layer1"))}
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(kept, path)
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    first, second = (
        FeatureExtractor(resolve_backbone(name, str(path), "layer1"), image_size=64)
        for name in ("resnet50", "resnet50-imagenet1k-v2")
    )
    assert torch.equal(first(images), second(images)) and first.key != second.key


def test_a_given_file_decides_backbone_and_layers(tmp_path):
    path = tmp_path / "part.safetensors"
    safetensors.torch.save_file({"conv1.weight": torch.zeros(1), "layer2.0": torch.ones(1)}, path)
    backbone = resolve_backbone("auto", str(path))
    assert (backbone.name, backbone.layers) == ("resnet50", ("layer2",))
    assert resolve_backbone("auto", str(path), "layer1,layer2").layers == ("layer1", "layer2")
    assert backbone.describe()["path"] == "part.safetensors"


def test_programs_are_known_by_their_hash(tmp_path, monkeypatch):
    path = tmp_path / "resnet50-he2015-layer2-layer3.pt2"
    path.write_bytes(b"a program")
    other = resolve_backbone("auto", str(path))
    assert (other.name, other.layers) == ("exported", ())
    monkeypatch.setattr(weights, "HE_SHA256", (other.sha256,))
    known = resolve_backbone("auto", str(path))
    assert (known.name, known.layers) == ("resnet50-he", ("layer2", "layer3"))
    assert (known.mean, known.std, known.sha256) == (*IMAGENET, other.sha256)
    assert str(known) == "resnet50-he, layer2 + layer3 (given file)"
    assert resolve_backbone("exported", str(path)).name == "exported"
    assert resolve_backbone("auto", str(path), "layer3").layers == ("layer3",)
    with pytest.raises(UserError, match="gives layer2 and layer3, no 'layer1': see LAYERS"):
        resolve_backbone("resnet50-he", str(path), "layer1,layer2")


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
        (("resnet50-he",), r"cannot be downloaded: make it with `python -m study weights"),
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


def resnet18():
    """Weights of the right names and shapes, all alike."""
    import torchvision

    return torchvision.models.resnet18(weights=None).state_dict()


WRAPPED = {
    "as it is": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "module.": lambda state: {f"module.{name}": t for name, t in state.items()},
    "state_dict, module.": lambda state: {
        "state_dict": {f"module.{name}": t for name, t in state.items()},
        "optimizer": {"state": {0: {"momentum": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]},
    },
    "encoder, deep": lambda state: {"net": {"encoder": {"body": state}}, "loss": torch.zeros(())},
}


@pytest.mark.parametrize("case", WRAPPED)
def test_what_is_wrapped_around_the_tensors_is_taken_off(case, tmp_path):
    state, path = resnet18(), tmp_path / "x.pth"
    torch.save(WRAPPED[case](state), path)
    extractor = FeatureExtractor(resolve_backbone("resnet18", str(path)), image_size=64)
    plain = tmp_path / "plain.safetensors"
    safetensors.torch.save_file(state, plain)
    expected = FeatureExtractor(resolve_backbone("resnet18", str(plain)), image_size=64)
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    assert torch.equal(extractor(images), expected(images))


def test_a_prefix_in_a_safetensors_file_is_taken_off(tmp_path):
    path = tmp_path / "x.safetensors"
    state = {f"model.backbone.{n}": t for n, t in resnet18().items() if not n.startswith("layer4")}
    safetensors.torch.save_file(state, path)
    backbone = resolve_backbone("resnet18", str(path))
    assert backbone.layers == ("layer2", "layer3")
    FeatureExtractor(backbone, image_size=64)


def test_two_networks_in_one_file_are_an_error_that_names_them(tmp_path):
    path, state = tmp_path / "x.pth", resnet18()
    torch.save({"student": state, "teacher": state}, path)
    with pytest.raises(UserError, match=r"holds this network 2 times \(student\., teacher\.\)"):
        FeatureExtractor(resolve_backbone("resnet18", str(path)))


def test_another_network_is_named_by_what_was_found(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"patch_embed.weight": torch.zeros(3), "head.bias": torch.zeros(2)}, path)
    with pytest.raises(UserError, match=r"holds 2 tensors \(patch_embed.weight, head.bias\)"):
        FeatureExtractor(resolve_backbone("resnet18", str(path)))

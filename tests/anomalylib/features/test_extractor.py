import numpy as np
import pytest
import safetensors.torch
import timm
import torch
import torchvision

from anomalylib.errors import UserError
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import LITE0, resolve_backbone
from tests.anomalylib.drawn import Pair, saved_program

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


def normalised(images, backbone):
    x = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (backbone.mean, backbone.std))
    return ((x - mean) / std).float()


def pooled_by_numpy(feature_map, padding):
    """3x3 average with stride 1, then adaptive average to the first grid."""
    grid = feature_map.shape[-1]
    padded = np.pad(feature_map, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    inner = padded.shape[-1] - 2
    pooled = sum(padded[..., i : i + inner, j : j + inner] for i in range(3) for j in range(3)) / 9
    out = np.zeros((*feature_map.shape[:2], grid, grid))
    for i in range(grid):
        for j in range(grid):
            rows = slice(i * inner // grid, -(-(i + 1) * inner // grid))
            columns = slice(j * inner // grid, -(-(j + 1) * inner // grid))
            out[..., i, j] = pooled[..., rows, columns].mean(axis=(-2, -1))
    return out


@pytest.mark.parametrize("padding", [0, 1])
def test_pooling_and_alignment_against_numpy(resnet18_file, padding):
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer2")
    extractor = FeatureExtractor(backbone, image_size=64, pool_padding=padding)
    raw = extractor.trunk(normalised(IMAGES, backbone))[0].numpy()
    expected = pooled_by_numpy(raw.astype(np.float64), padding)
    assert np.allclose(extractor(IMAGES).numpy(), expected, atol=1e-5)


def test_the_truncated_network_gives_what_the_whole_one_does(tmp_path):
    torch.manual_seed(1)
    whole = torchvision.models.resnet18().eval()
    for norm in filter(lambda m: isinstance(m, torch.nn.BatchNorm2d), whole.modules()):
        norm.running_mean.normal_(std=0.1)
        norm.running_var.uniform_(0.5, 2)
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        torch.nn.init.normal_(norm.bias)
    path = tmp_path / "whole.safetensors"
    safetensors.torch.save_file(whole.state_dict(), path)
    backbone = resolve_backbone("resnet18", str(path), "layer2,layer3")
    extractor = FeatureExtractor(backbone, image_size=64)
    assert [name for name, _ in extractor.trunk.body.named_children()][-1] == "layer3"
    x = normalised(IMAGES, backbone)
    with torch.inference_mode():
        stem = whole.maxpool(whole.relu(whole.bn1(whole.conv1(x))))
        second = whole.layer2(whole.layer1(stem))
        maps = extractor.trunk(x)
        third = whole.layer3(second)
        assert (maps[0] - second).abs().max() < 1e-5 * second.abs().max()
        assert (maps[1] - third).abs().max() < 1e-5 * third.abs().max()
    features = extractor(IMAGES)
    assert features.shape == (2, 128 + 256, 8, 8)
    assert not features.requires_grad


def test_efficientnet_tensors_land_where_timm_has_them():
    backbone = resolve_backbone(LITE0)
    extractor = FeatureExtractor(backbone, image_size=64)
    given = list(torch.load(backbone.path, weights_only=True).values())
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    named = zip(whole.state_dict(), given, strict=True)
    whole.load_state_dict(dict(named))
    x = normalised(IMAGES, backbone)
    with torch.inference_mode():
        y = whole.bn1(whole.conv_stem(x))
        kept = []
        for index in range(5):
            y = whole.blocks[index](y)
            kept.append(y)
        stride8, stride16 = extractor.trunk(x)
        assert torch.allclose(stride8, kept[2], atol=1e-4)
        assert torch.allclose(stride16, kept[4], atol=1e-4)
    assert extractor(IMAGES).shape == (2, 40 + 112, 8, 8)
    assert len(extractor.trunk.body.blocks) == 5


def test_an_exported_program_is_a_backbone(tmp_path):
    class TwoMaps(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(3, 4, 8, stride=8)
            self.second = torch.nn.Conv2d(4, 6, 2, stride=2)

        def forward(self, x):
            first = self.first(x)
            return first, self.second(first)

    model = TwoMaps().eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    example = torch.zeros(2, 3, 64, 64)
    program = torch.export.export(model, (example,), dynamic_shapes={"x": {0: batch}})
    path = tmp_path / "maps.pt2"
    torch.export.save(program, path)
    backbone = resolve_backbone("auto", str(path))
    extractor = FeatureExtractor(backbone, image_size=64)
    with torch.inference_mode():
        expected = model(normalised(IMAGES, backbone))
    assert torch.allclose(extractor.trunk(normalised(IMAGES, backbone))[1], expected[1], atol=1e-5)
    assert extractor(IMAGES).shape == (2, 10, 8, 8)
    second = FeatureExtractor(resolve_backbone("auto", str(path), "1"), image_size=64)
    assert torch.allclose(second.trunk(normalised(IMAGES, backbone))[0], expected[1], atol=1e-5)
    with pytest.raises(UserError, match="give LAYERS their numbers"):
        resolve_backbone("auto", str(path), "layer2")
    with pytest.raises(UserError, match="returns 2 maps"):
        FeatureExtractor(resolve_backbone("auto", str(path), "2"), image_size=64)(IMAGES)


@pytest.mark.parametrize(
    ("layers", "numbers"),
    [("", ""), ("layer2", "0"), ("layer3", "1"), ("layer3,layer2", "1,0")],
)
def test_maps_of_resnet50_he_are_asked_for_by_name(layers, numbers, he_file):
    named = FeatureExtractor(resolve_backbone("resnet50-he", he_file, layers), image_size=64)
    plain = FeatureExtractor(resolve_backbone("exported", he_file, numbers), image_size=64)
    assert named.backbone.layers == tuple(layers.split(",") if layers else ("layer2", "layer3"))
    assert torch.equal(named(IMAGES), plain(IMAGES)) and named.key != plain.key


def test_another_program_is_not_resnet50_he(he_file, tmp_path):
    def complaint(path, **settings):
        with pytest.raises(UserError) as caught:
            FeatureExtractor(resolve_backbone("resnet50-he", str(path)), **settings)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    others = [Pair((512, 512)), Pair(strides=(16, 2)), Pair(strides=(8, 4))]
    others += [Pair(means=(0.83, 1.4)), Pair(means=(0.02, 1.37)), Pair().first]
    for number, other in enumerate(others):
        path = tmp_path / f"{number}.pt2"
        if other is others[-1]:
            torch.export.save(torch.export.export(other, (torch.zeros(1, 3, 64, 64),)), path)
        else:
            saved_program(other, path)
        assert f"{path} is not resnet50-he: where 64 x 64 pixels are" in complaint(path)
    large = saved_program(Pair(), tmp_path / "large.pt2", size=128)
    assert "large.pt2 is not resnet50-he" in complaint(large)
    (tmp_path / "x.safetensors").write_bytes(b"no archive")
    assert "no exported program" in complaint(tmp_path / "x.safetensors")
    refusal = "an exported program computes as it was exported: no bfloat16"
    assert complaint(he_file, precision="bfloat16") == refusal


def test_a_damaged_export_is_refused(tmp_path):
    path = tmp_path / "x.pt2"
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="no exported program"):
        FeatureExtractor(resolve_backbone("auto", str(path)))


def test_missing_tensors_and_layers_are_named(resnet18_file):
    with pytest.raises(UserError, match=r"lacks \d+ tensors \(layer3.*\), which layer3 need"):
        FeatureExtractor(resolve_backbone("resnet18", str(resnet18_file), "layer3"))
    with pytest.raises(UserError, match="has no layer 'layer9'"):
        FeatureExtractor(resolve_backbone("resnet18", str(resnet18_file), "layer9"))
    with pytest.raises(UserError, match=r"not resnet34's|lacks"):
        FeatureExtractor(resolve_backbone("resnet34", str(resnet18_file), "layer2"))
    with pytest.raises(UserError, match="has shape"):
        FeatureExtractor(resolve_backbone("wide_resnet50_2", _shaped(resnet18_file), "conv1"))


def _shaped(resnet18_file):
    """A stem whose first convolution is too narrow."""
    state = safetensors.torch.load_file(resnet18_file)
    state["conv1.weight"] = state["conv1.weight"][:8].contiguous()
    path = resnet18_file.with_name("narrow.safetensors")
    safetensors.torch.save_file(state, path)
    return str(path)


def test_the_key_changes_with_everything_the_features_depend_on(resnet18_file):
    def key(layers="layer2", **settings):
        backbone = resolve_backbone("resnet18", str(resnet18_file), layers)
        return FeatureExtractor(backbone, **settings).key

    keys = {key(), key("layer1,layer2"), key(image_size=64), key(pool_padding=1)}
    assert len(keys | {key(normalise=False)}) == 5


def test_without_normalisation_the_network_sees_pixels_from_0_to_1(resnet18_file):
    backbone = resolve_backbone("resnet18", str(resnet18_file))
    seen = []
    extractor = FeatureExtractor(backbone, image_size=64, normalise=False)
    extractor.trunk.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    extractor(IMAGES)
    assert torch.allclose(seen[0], torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255)


def test_bfloat16_is_near_and_has_a_key_of_its_own(resnet18_file):
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer2")
    whole, half = (
        FeatureExtractor(backbone, image_size=64, precision=p) for p in ("float32", "bfloat16")
    )
    expected, found = whole(IMAGES), half(IMAGES)
    assert found.dtype == torch.float32 and not torch.equal(found, expected)
    assert (found - expected).norm() < 0.02 * expected.norm()
    assert whole.key != half.key


def test_a_convolution_that_is_asked_for_keeps_its_own_output(resnet18_file):
    backbone = resolve_backbone("resnet18", str(resnet18_file), "conv1,layer1")
    trunk = FeatureExtractor(backbone, image_size=64).trunk
    x = normalised(IMAGES, backbone)
    assert torch.allclose(trunk(x)[0], trunk.body.conv1(x), atol=1e-6)
    assert isinstance(trunk.body.bn1, torch.nn.BatchNorm2d)

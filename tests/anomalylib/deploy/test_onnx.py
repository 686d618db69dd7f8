import sys

import numpy as np
import onnx
import pytest
import torch

from anomalylib import __version__
from anomalylib.deploy import onnx as export
from anomalylib.deploy.graphs import graph_of
from anomalylib.deploy.onnx import onnx_scores, to_onnx
from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.combined_plus import CombinedPlus
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled
from anomalylib.errors import UserError
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import LITE0, resolve_backbone
from tests.anomalylib.detectors.test_base import NORMAL, spoiled

RANDOM = np.random.default_rng(7)
NOISE = RANDOM.integers(0, 256, (100, 75, 3), dtype=np.uint8)
STEPS = np.kron(RANDOM.integers(0, 256, (10, 15, 3)), np.ones((10, 5, 1))).astype(np.uint8)
BLACK = np.zeros((100, 75, 3), dtype=np.uint8)
NEW = np.stack([NOISE, STEPS, BLACK])
ARMS = {
    "autoencoder": lambda extractor: Autoencoder(image_size=64, epochs=3, seed=1),
    "resnet": Pooled,
    "combined": lambda extractor: Combined(extractor, epochs=3, latent=4, seed=1),
    "patchcore": lambda extractor: PatchCore(extractor, coreset=0.2, seed=1),
    "combined_plus": lambda extractor: CombinedPlus(
        extractor, bank=90, dimensions=16, neighbours=5
    ),
}


@pytest.fixture(scope="module")
def small(resnet18_file):
    return FeatureExtractor(resolve_backbone("resnet18", str(resnet18_file)), image_size=64)


@pytest.fixture(scope="module", params=ARMS)
def exported(request, small, tmp_path_factory):
    """An arm by name, fitted, and its file."""
    detector = ARMS[request.param](small).fit(NORMAL)
    path = tmp_path_factory.mktemp("onnx") / f"{request.param}.onnx"
    return request.param, detector, to_onnx(detector, path)


@pytest.fixture
def resnet(small):
    return Pooled(small).fit(NORMAL)


def near(found, expected, threshold):
    return np.abs(found - expected) <= 1e-4 * np.maximum(expected, threshold)


def assert_judges_alike(detector, path, images):
    scores, maps = export._opened(path).run(["score", "map"], {"images": images})
    expected = detector.anomaly_maps(images)
    assert maps.shape == expected.shape and scores.shape == (len(images),)
    assert near(scores, detector.score_samples(images), detector.threshold_).all()
    assert near(maps, expected, detector.threshold_).mean() >= 0.99


@pytest.mark.parametrize("images", [NEW, NEW[:1], NEW[2:], np.stack([spoiled(NORMAL[0])])])
def test_a_file_judges_as_its_detector(exported, images):
    _, detector, path = exported
    assert_judges_alike(detector, path, images)


def test_images_of_different_sizes_are_scored_one_by_one(exported):
    _, detector, path = exported
    images = [NOISE, spoiled(NORMAL[3]), NOISE[:40]]
    scores = onnx_scores(path, images)
    assert near(scores, detector.score_samples(images), detector.threshold_).all()
    assert ((scores > detector.threshold_) == detector.predict(images)).all()


def test_a_file_is_one_valid_file_that_says_what_it_is(exported):
    name, detector, path = exported
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    (taken,) = model.graph.input
    assert taken.name == "images" and taken.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    axes = [axis.dim_param or axis.dim_value for axis in taken.type.tensor_type.shape.dim]
    assert axes == ["N", "H", "W", 3]
    assert [given.name for given in model.graph.output] == ["score", "map"]
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["arm"] == name and said["anomalylib"] == __version__
    assert float(said["threshold"]) == detector.threshold_ and said["image_size"] == "64"
    if name != "autoencoder":
        assert said["backbone"] == "resnet18" and said["layers"] == "layer2"
        assert said["weights_sha256"] == detector.extractor.backbone.sha256


def test_efficientnet_is_exported_and_nothing_is_said_but_progress(tmp_path, capfd):
    extractor = FeatureExtractor(resolve_backbone(LITE0, layers="blocks.1,blocks.2"), image_size=64)
    detector = ARMS["combined"](extractor).fit(NORMAL)
    path = to_onnx(detector, tmp_path / "lite0.onnx")
    said = capfd.readouterr()
    assert not said.out
    bars = [line for line in said.err.replace("\r", "\n").splitlines() if line]
    assert bars and all(line.startswith(("features:", "training:")) for line in bars)
    assert_judges_alike(detector, path, NEW)


def test_a_program_can_be_exported_again(tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Conv2d(3, 6, 8, stride=8).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    example = torch.zeros(2, 3, 64, 64)
    program = torch.export.export(model, (example,), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "maps.pt2")
    backbone = resolve_backbone("auto", str(tmp_path / "maps.pt2"))
    detector = ARMS["patchcore"](FeatureExtractor(backbone, image_size=64)).fit(NORMAL)
    assert_judges_alike(detector, to_onnx(detector, tmp_path / "maps.onnx"), NEW)


def test_a_file_that_judges_otherwise_is_never_left(resnet, tmp_path, monkeypatch):
    def wrong(detector):
        graph = graph_of(detector)
        graph.register_forward_hook(lambda module, given, out: (out[0] * 1.001, out[1]))
        return graph

    path = tmp_path / "resnet.onnx"
    path.write_bytes(b"from before")
    monkeypatch.setattr(export, "graph_of", wrong)
    with pytest.raises(UserError, match=r"onnxruntime's score is up to .* from the detector's"):
        to_onnx(resnet, path)
    assert path.read_bytes() == b"from before"
    assert list(tmp_path.iterdir()) == [path]


def test_every_score_and_nearly_all_of_a_map_must_agree(exported):
    _, detector, path = exported

    class Changed:
        def __init__(self, change):
            self.change = change

        threshold_ = detector.threshold_

        def score_samples(self, images):
            return self.change("score", detector.score_samples(images))

        def anomaly_maps(self, images):
            return self.change("map", detector.anomaly_maps(images))

    export._verify(Changed(lambda which, values: values), path, 64)
    for wrong in ("score", "map"):
        changed = Changed(lambda which, values, wrong=wrong: values * (1 + (which == wrong) / 1000))
        with pytest.raises(UserError, match=f"onnxruntime's {wrong} is"):
            export._verify(changed, path, 64)


def test_what_cannot_be_traced_is_refused(resnet, tmp_path, monkeypatch):
    def untraceable(pixels):
        return [pixels[:, :, :: int(pixels.max())]]

    monkeypatch.setattr(resnet.extractor.trunk, "forward", untraceable)
    with pytest.raises(UserError, match="this resnet cannot be written as ONNX") as caught:
        to_onnx(resnet, tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_is_too_large_for_one_file_is_refused(resnet, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "LARGEST", 10**6)
    with pytest.raises(UserError, match=r"this resnet holds 0\.0 GB, and an ONNX file at most 2"):
        to_onnx(resnet, tmp_path / "x.onnx")


def test_another_suffix_and_no_model_are_refused(resnet, tmp_path):
    with pytest.raises(UserError, match=r"let it end in \.onnx"):
        to_onnx(resnet, tmp_path / "x.pt")
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"onnxruntime cannot open .*x\.onnx"):
        onnx_scores(tmp_path / "x.onnx", NEW)


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named(package, resnet, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"package {package}: pip install .*\[onnx\]"):
        to_onnx(resnet, tmp_path / "x.onnx")

import numpy as np
import onnx
import pytest
import torch

from anomalylib import __version__
from anomalylib.deploy import onnx as export
from anomalylib.deploy.onnx import onnx_scores, to_onnx
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled
from anomalylib.detectors.registry import DETECTORS
from anomalylib.errors import UserError
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import LITE0, resolve_backbone
from tests.anomalylib.drawn import NORMAL, every_detector, spoiled

RANDOM = np.random.default_rng(7)
NOISE = RANDOM.integers(0, 256, (100, 75, 3), dtype=np.uint8)
STEPS = np.kron(RANDOM.integers(0, 256, (10, 15, 3)), np.ones((10, 5, 1))).astype(np.uint8)
BLACK = np.zeros((100, 75, 3), dtype=np.uint8)
NEW = np.stack([NOISE, STEPS, BLACK])


@pytest.fixture(scope="module")
def small(resnet18_file):
    return FeatureExtractor(resolve_backbone("resnet18", str(resnet18_file)), image_size=64)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """An extractor whose backbone is one layer, exported by PyTorch: quick to trace."""
    torch.manual_seed(0)
    model = torch.nn.Conv2d(3, 6, 8, stride=8).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    example = torch.zeros(2, 3, 64, 64)
    exported = torch.export.export(model, (example,), dynamic_shapes=({0: batch},))
    path = tmp_path_factory.mktemp("program") / "maps.pt2"
    torch.export.save(exported, path)
    return FeatureExtractor(resolve_backbone("auto", str(path)), image_size=64)


@pytest.fixture(scope="module", params=DETECTORS)
def exported(request, small, program, tmp_path_factory):
    """A detector by name, fitted, and its file."""
    extractor = program if request.param == "combined" else small  # which takes longer to trace
    detector = every_detector(extractor)[request.param].fit(NORMAL)
    path = tmp_path_factory.mktemp("onnx") / f"{request.param}.onnx"
    return request.param, detector, to_onnx(detector, path)


@pytest.fixture
def resnet(small):
    return Pooled(small).fit(NORMAL)


def near(found, expected, threshold):
    return np.abs(found - expected) <= 1e-4 * np.maximum(expected, threshold)


def assert_scores_alike(detector, path, images):
    scores, maps = export._opened(path).run(["score", "map"], {"images": images})
    expected = detector.anomaly_maps(images)
    assert maps.shape == expected.shape and scores.shape == (len(images),)
    assert near(scores, detector.score_samples(images), detector.threshold_).all()
    assert near(maps, expected, detector.threshold_).mean() >= 0.99


@pytest.mark.parametrize("images", [NEW, NEW[:1], NEW[2:], np.stack([spoiled(NORMAL[0])])])
def test_a_file_scores_as_its_detector(exported, images):
    _, detector, path = exported
    assert_scores_alike(detector, path, images)


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
    assert said["model"] == name and said["anomalylib"] == __version__
    assert float(said["threshold"]) == detector.threshold_ and said["image_size"] == "64"
    if name != "autoencoder":
        backbone = detector.features.backbone
        assert said["backbone"] == backbone.name and said["layers"] == ",".join(backbone.layers)
        assert said["weights_sha256"] == detector.features.backbone.sha256


def test_a_backbone_that_is_a_program_is_exported_by_its_name(he_file, tmp_path):
    extractor = FeatureExtractor(resolve_backbone("resnet50-he", he_file, "layer3"), image_size=64)
    detector = Pooled(extractor, cache=tmp_path).fit(NORMAL)
    path = to_onnx(detector, tmp_path / "pair.onnx")
    assert_scores_alike(detector, path, NEW)
    said = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert (said["backbone"], said["layers"]) == ("resnet50-he", "layer3")
    assert said["weights_sha256"] == extractor.backbone.sha256


def test_efficientnet_is_exported_and_nothing_is_said_but_progress(tmp_path, capfd):
    extractor = FeatureExtractor(resolve_backbone(LITE0, layers="blocks.0,blocks.1"), image_size=64)
    detector = every_detector(extractor)["combined"].fit(NORMAL)
    path = to_onnx(detector, tmp_path / "lite0.onnx")
    said = capfd.readouterr()
    assert not said.out
    bars = [line for line in said.err.replace("\r", "\n").splitlines() if line]
    assert bars and all(line.startswith(("features:", "training:")) for line in bars)
    assert_scores_alike(detector, path, NEW)


def test_a_file_that_scores_otherwise_is_never_left(program, tmp_path, monkeypatch):
    class Wrong(export.WholePath):
        def forward(self, images):
            score, maps = super().forward(images)
            return score * 1.001, maps

    path = tmp_path / "resnet.onnx"
    path.write_bytes(b"from before")
    monkeypatch.setattr(export, "WholePath", Wrong)
    with pytest.raises(UserError, match=r"onnxruntime's score is up to .* from the detector's"):
        to_onnx(Pooled(program).fit(NORMAL), path)
    assert path.read_bytes() == b"from before"
    assert list(tmp_path.iterdir()) == [path]


def test_every_score_and_nearly_all_of_a_map_must_agree():
    expected = np.full((1, 200), 2.0)
    for wrong, share, refused in ((1, 1, True), (1, 0.99, False), (3, 0.99, True), (0, 1, False)):
        given = expected.copy()
        given[0, :wrong] *= 1.001
        if refused:
            with pytest.raises(UserError, match=r"onnxruntime's map is up to 0\.002"):
                export._compare("map", given, expected, 1.0, share)
        else:
            export._compare("map", given, expected, 1.0, share)


def test_what_has_not_learned_or_not_in_single_precision_is_refused(small, tmp_path):
    with pytest.raises(UserError, match="Pooled has not learned yet: call its fit"):
        to_onnx(Pooled(small), tmp_path / "x.onnx")
    half = FeatureExtractor(small.backbone, image_size=64, precision="bfloat16")
    with pytest.raises(UserError, match="bfloat16 has no ONNX form: fit with precision='float32'"):
        to_onnx(Pooled(half).fit(NORMAL), tmp_path / "x.onnx")


def test_a_file_has_its_detectors_settings_and_field_of_view(program, tmp_path):
    detector = PatchCore(program, coreset=0.2, top_k=999).fit(NORMAL)
    everywhere = detector.score_samples(NEW)
    detector.view_ = np.zeros((64, 64), dtype=bool)
    detector.view_[:, :24] = True
    path = to_onnx(detector, tmp_path / "x.onnx")
    assert_scores_alike(detector, path, NEW)
    (maps,) = export._opened(path).run(["map"], {"images": NEW})
    assert maps[..., :3].any() and not maps[..., 3:].any()  # cells of 8 pixels
    assert (onnx_scores(path, NEW) <= everywhere * (1 + 1e-4)).all()


def test_what_cannot_be_traced_is_refused(resnet, tmp_path, monkeypatch):
    def untraceable(pixels):
        return [pixels[:, :, :: int(pixels.max())]]

    resnet.gallery()
    monkeypatch.setattr(resnet.features.trunk, "forward", untraceable)
    with pytest.raises(UserError, match="this resnet cannot be written as ONNX") as caught:
        to_onnx(resnet, tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_is_too_large_for_one_file_is_refused(resnet, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "LARGEST", 10**6)
    with pytest.raises(UserError, match=r"this resnet holds 0\.0 GB, and an ONNX file at most 2"):
        to_onnx(resnet, tmp_path / "x.onnx")


def test_without_its_packages_it_says_how_to_get_them(resnet, tmp_path, monkeypatch):
    there = export.find_spec
    monkeypatch.setattr(export, "find_spec", lambda name: None if "script" in name else there(name))
    with pytest.raises(UserError, match=r"not here \(onnxscript\): install the extra onnx, .*onnx"):
        to_onnx(resnet, tmp_path / "x.onnx")


def test_another_suffix_and_no_model_are_refused(resnet, tmp_path):
    with pytest.raises(UserError, match=r"let it end in \.onnx"):
        to_onnx(resnet, tmp_path / "x.pt")
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"onnxruntime cannot open .*x\.onnx"):
        onnx_scores(tmp_path / "x.onnx", NEW)

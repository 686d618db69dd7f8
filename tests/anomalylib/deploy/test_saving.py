import json

import numpy as np
import pytest
import safetensors.torch
import torch

import anomalylib
from anomalylib.deploy import saving as saved
from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.combined_plus import CombinedPlus
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled
from anomalylib.detectors.registry import DETECTORS
from anomalylib.detectors.thresholds import Conformal, MeanPlusSigma, Quantile
from anomalylib.errors import UserError
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_category
from study.trials.alternatives import WhitenedDetector

RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.integers(0, 200, (6, 64, 64, 3), dtype=np.uint8)
NEW = RANDOM.integers(0, 256, (3, 80, 70, 3), dtype=np.uint8)


def arms(extractor, folder):
    own = {"cache_folder": folder, "seed": 3, "top_k": 4, "sigma": 2.5}
    return {
        "autoencoder": Autoencoder(epochs=1, code=8, **own),
        "resnet": Pooled(extractor, **own),
        "combined": Combined(extractor, epochs=1, latent=7, scale=False, **own),
        "patchcore": PatchCore(extractor, coreset=0.1, **own),
        "combined_plus": CombinedPlus(extractor, bank=60, dimensions=9, ridge=0.3, **own),
    }


@pytest.mark.parametrize("arm", DETECTORS)
def test_a_detector_judges_as_it_did_before_it_was_saved(arm, extractor, resnet18_file, tmp_path):
    before = arms(extractor, tmp_path)[arm].fit(NORMAL)
    path = before.save(tmp_path / "über alles" / f"{arm}.safetensors")
    after = anomalylib.load(path, "" if arm == "autoencoder" else str(resnet18_file))
    assert type(after) is type(before)
    assert (after.score_samples(NEW) == before.score_samples(NEW)).all()
    assert (after.anomaly_maps(NEW) == before.anomaly_maps(NEW)).all()
    assert after.threshold_ == before.threshold_
    assert (after.nominal_scores_ == before.nominal_scores_).all()
    assert saved.settings_of(after) == saved.settings_of(before)
    assert saved.settings_of(before)["top_k"] == 4 and saved.settings_of(before)["sigma"] == 2.5
    assert after.nominal_pictures_.shape == (6, 96, 96, 3)
    assert len(after.nominal_vectors_) == 6


@pytest.mark.parametrize("rule", [MeanPlusSigma(sigma=1.5), Quantile(share=0.8), Conformal()])
def test_the_threshold_and_its_rule_are_kept(rule, extractor, resnet18_file, tmp_path):
    detector = Pooled(extractor).fit(NORMAL).calibrate(rule, np.arange(40.0))
    loaded = anomalylib.load(detector.save(tmp_path / "x.safetensors"), str(resnet18_file))
    assert type(loaded.rule_) is type(rule) and vars(loaded.rule_) == vars(rule)
    assert loaded.threshold_ == rule.threshold_


def test_the_card_says_what_it_was_made_of(category_folder, extractor, resnet18_file, tmp_path):
    train = load_category(category_folder, "bolt").train
    detector = Pooled(extractor, cache_folder=tmp_path).fit(train)
    card = anomalylib.load(detector.save(tmp_path / "x.safetensors"), str(resnet18_file)).card_
    assert card.fingerprint == train.fingerprint and card.images == train.names
    assert card.backbone["name"] == "resnet18"
    assert card.backbone["sha256"] == extractor.backbone.sha256
    assert str(resnet18_file.parent) not in card.model_dump_json()
    assert card.preprocessing["image_size"] == 64


def test_images_without_names_are_known_by_their_pixels(extractor, resnet18_file, tmp_path):
    def said(images):
        path = Pooled(extractor).fit(images).save(tmp_path / "x.safetensors")
        return anomalylib.load(path, str(resnet18_file)).card_.fingerprint

    other = NORMAL.copy()
    other[2, 0, 0, 0] ^= 1
    assert said(NORMAL) == said(list(NORMAL)) != said(other)


def test_other_weights_are_refused(extractor, tmp_path):
    path = Pooled(extractor).fit(NORMAL).save(tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=r"weights file of its own \(random18.safetensors"):
        anomalylib.load(path)
    torch.manual_seed(1)
    state = {
        name: torch.rand_like(t) if t.is_floating_point() else t
        for name, t in safetensors.torch.load_file(extractor.backbone.path).items()
    }
    safetensors.torch.save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="does not go with these weights"):
        anomalylib.load(path, str(tmp_path / "other.safetensors"))


def test_the_backbone_of_the_package_needs_no_file(tmp_path):
    extractor = FeatureExtractor(resolve_backbone("efficientnet_lite0"), image_size=64)
    detector = Pooled(extractor).fit(NORMAL)
    loaded = anomalylib.load(detector.save(tmp_path / "x.safetensors"))
    assert (loaded.score_samples(NEW) == detector.score_samples(NEW)).all()


def test_what_cannot_be_saved(extractor, tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match="fit it before"):
        Pooled(extractor).save(path)
    with pytest.raises(UserError, match="none of the arms"):
        WhitenedDetector(extractor, epochs=1).fit(NORMAL).save(path)
    never = Pooled(extractor).fit(NORMAL).calibrate(Conformal(), np.arange(4.0))
    with pytest.raises(UserError, match="threshold is inf"):
        never.save(path)
    assert not path.exists()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A saved autoencoder: its tensors and its description."""
    path = tmp_path_factory.mktemp("saved") / "x.safetensors"
    Autoencoder(epochs=1, code=4).fit(NORMAL).save(path)
    with safetensors.safe_open(path, "pt") as opened:
        said = json.loads(opened.metadata()["anomalylib"])
    return safetensors.torch.load_file(path), said


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, said: said.pop("threshold"),
        lambda tensors, said: said.update(format="anomalylib detector 2"),
        lambda tensors, said: said.update(arm="__import__('os')"),
        lambda tensors, said: said.update(extra="field"),
        lambda tensors, said: said["settings"].update(surprise=1),
        lambda tensors, said: said["rule"].update(name="UserError"),
        lambda tensors, said: said["settings"].update(code=5),
        lambda tensors, said: tensors.pop("nominal.scores"),
        lambda tensors, said: tensors["nominal.vectors"].fill_(torch.nan),
        lambda tensors, said: tensors.pop("learned.losses"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(file, change, tmp_path):
    tensors = {name: tensor.clone() for name, tensor in file[0].items()}
    said = json.loads(json.dumps(file[1]))
    change(tensors, said)
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(tensors, path, {"anomalylib": json.dumps(said)})
    with pytest.raises(UserError, match=r"x\.safetensors (is|holds|does)"):
        anomalylib.load(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match="no detector at"):
        anomalylib.load(path)
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="no detector of this version"):
        anomalylib.load(path)
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="no detector of this version"):
        anomalylib.load(path)

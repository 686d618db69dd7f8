import json

import numpy as np
import pytest
import safetensors.torch
import torch

import anomalylib as al
from anomalylib.deploy.saving import describe
from anomalylib.detectors.registry import DETECTORS
from tests.anomalylib.drawn import NORMAL, every_detector

RANDOM = np.random.default_rng(0)
NEW = RANDOM.integers(0, 256, (3, 80, 70, 3), dtype=np.uint8)


class Unknown(al.Pooled):
    """A detector that is not registered."""


def weights_of(name, resnet18_file):
    return "" if name == "autoencoder" else str(resnet18_file)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_scores_as_it_did_before_it_was_saved(name, extractor, resnet18_file, tmp_path):
    settings = {"cache": tmp_path, "top_k": 4, "sigma": 2.5}
    before = every_detector(extractor, **settings)[name].fit(NORMAL)
    path = al.save(before, tmp_path / "über alles" / f"{name}.safetensors")
    after = al.load(path, weights_of(name, resnet18_file))
    assert type(after) is type(before)
    assert (after.score_samples(NEW) == before.score_samples(NEW)).all()
    assert (after.anomaly_maps(NEW) == before.anomaly_maps(NEW)).all()
    assert after.threshold_ == before.threshold_
    assert (after.normal_scores_ == before.normal_scores_).all()
    surroundings = {"features", "cache"}
    given = before.get_params(deep=False)
    kept = after.get_params(deep=False)
    assert {k: v for k, v in kept.items() if k not in surroundings} == {
        k: v for k, v in given.items() if k not in surroundings
    }
    assert after.gallery().names == before.gallery().names
    assert (after.gallery().thumbnails == before.gallery().thumbnails).all()


@pytest.mark.parametrize("name", DETECTORS)
def test_what_was_loaded_can_be_calibrated_and_saved_again(
    name, extractor, resnet18_file, tmp_path
):
    weights = weights_of(name, resnet18_file)
    first = al.save(every_detector(extractor)[name].fit(NORMAL), tmp_path / "a.safetensors")
    loaded = al.load(first, weights).calibrate(al.Quantile(share=0.5), np.arange(9.0))
    again = al.load(al.save(loaded, tmp_path / "b.safetensors"), weights)
    assert again.threshold_ == 4 and again.rule_ == al.Quantile(share=0.5)
    assert (again.score_samples(NEW) == loaded.score_samples(NEW)).all()
    assert (again.gallery().vectors == loaded.gallery().vectors).all()


@pytest.mark.parametrize("rule", [al.MeanPlusSigma(sigma=1.5), al.Quantile(), al.Conformal()])
def test_the_threshold_and_its_rule_are_kept(rule, extractor, resnet18_file, tmp_path):
    detector = al.Pooled(extractor).fit(NORMAL).calibrate(rule, np.arange(40.0))
    loaded = al.load(al.save(detector, tmp_path / "x.safetensors"), str(resnet18_file))
    assert loaded.rule_ == rule and str(loaded.rule_) == str(rule)
    assert loaded.threshold_ == rule.fit(np.arange(40.0)).threshold_
    assert loaded.rule_.origin == f"{rule}, from 40 images"


def test_what_is_known_of_the_training_images_is_kept(extractor, resnet18_file, tmp_path):
    detector = al.Pooled(extractor).fit([image.astype(np.uint16) << 4 for image in NORMAL])
    detector.remarks_ = ("the illumination is not the same",)
    loaded = al.load(al.save(detector, tmp_path / "x.safetensors"), str(resnet18_file))
    assert loaded.remarks_ == detector.remarks_ and loaded.bits_ == detector.bits_ == 12
    assert loaded.gallery().usual == detector.gallery().usual > 0
    deep = [NEW[0].astype(np.uint16) << 4]
    assert (loaded.score_samples(deep) == detector.score_samples(NEW[:1])).all()


def test_the_card_says_what_it_was_made_of(category_folder, extractor, resnet18_file, tmp_path):
    train = al.load_category(category_folder, "bolt").train
    card = describe(al.Pooled(extractor, cache=tmp_path).fit(train))
    assert card.model == "resnet" and card.rule == "MeanPlusSigma"
    assert card.fingerprint == train.fingerprint and card.images == train.names
    assert card.backbone["name"] == "resnet18"
    assert card.backbone["sha256"] == extractor.backbone.sha256
    assert str(resnet18_file.parent) not in card.model_dump_json()
    assert card.preprocessing == {
        "image_size": 64,
        "pool_padding": 0,
        "normalise": True,
        "precision": "float32",
    }


def test_a_detector_on_a_program_is_loaded_with_its_file(he_file, tmp_path):
    features = al.FeatureExtractor(al.resolve_backbone("resnet50-he", he_file), image_size=64)
    before = al.Pooled(features, cache=tmp_path).fit(NORMAL)
    path = al.save(before, tmp_path / "a.safetensors")
    assert describe(before).backbone["layers"] == ["layer2", "layer3"]
    with pytest.raises(al.UserError, match=r"weights file of its own \(pair.pt2"):
        al.load(path)
    after = al.load(path, he_file)
    assert after.features.backbone == before.features.backbone
    assert (after.score_samples(NEW) == before.score_samples(NEW)).all()


def test_other_weights_are_refused(extractor, tmp_path):
    path = al.save(al.Pooled(extractor).fit(NORMAL), tmp_path / "x.safetensors")
    with pytest.raises(al.UserError, match=r"weights file of its own \(random18.safetensors"):
        al.load(path)
    state = {
        name: t + 1 if t.is_floating_point() else t
        for name, t in safetensors.torch.load_file(extractor.backbone.path).items()
    }
    safetensors.torch.save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(al.UserError, match="does not go with these weights"):
        al.load(path, str(tmp_path / "other.safetensors"))


def test_the_backbone_of_the_package_needs_no_file(tmp_path):
    features = al.FeatureExtractor(al.resolve_backbone("efficientnet_lite0"), image_size=64)
    detector = al.Pooled(features).fit(NORMAL)
    loaded = al.load(al.save(detector, tmp_path / "x.safetensors"))
    assert (loaded.score_samples(NEW) == detector.score_samples(NEW)).all()


def test_what_cannot_be_saved(extractor, tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(al.UserError, match="call its fit first"):
        al.save(al.Pooled(extractor), path)
    with pytest.raises(al.UserError, match="Unknown is none of autoencoder, resnet"):
        al.save(Unknown(extractor).fit(NORMAL), path)
    never = al.Pooled(extractor).fit(NORMAL)
    never.rule_.threshold_ = np.inf
    with pytest.raises(al.UserError, match="threshold is inf"):
        al.save(never, path)
    assert not path.exists()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A saved autoencoder: its tensors and its description."""
    path = tmp_path_factory.mktemp("saved") / "x.safetensors"
    al.save(al.Autoencoder(side=32, epochs=1, code=4).fit(NORMAL), path)
    with safetensors.safe_open(path, "pt") as opened:
        card = json.loads(opened.metadata()["anomalylib"])
    return safetensors.torch.load_file(path), card


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, card: card.pop("threshold"),
        lambda tensors, card: card.update(format="anomalylib detector 1"),
        lambda tensors, card: card.update(model="__import__('os')"),
        lambda tensors, card: card.update(extra="field"),
        lambda tensors, card: card["settings"].update(surprise=1),
        lambda tensors, card: card.update(rule="UserError"),
        lambda tensors, card: card["settings"].update(code=5),
        lambda tensors, card: tensors.pop("nominal.scores"),
        lambda tensors, card: tensors["nominal.vectors"].fill_(torch.nan),
        lambda tensors, card: tensors.pop("learned.losses"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(file, change, tmp_path):
    tensors = {name: tensor.clone() for name, tensor in file[0].items()}
    card = json.loads(json.dumps(file[1]))
    change(tensors, card)
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(tensors, path, {"anomalylib": json.dumps(card)})
    with pytest.raises(al.UserError, match=r"x\.safetensors (is|holds|does)"):
        al.load(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(al.UserError, match="no detector at"):
        al.load(path)
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(al.UserError, match="no detector of this version"):
        al.load(path)
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(al.UserError, match="no detector of this version"):
        al.load(path)

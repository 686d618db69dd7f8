import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone

from anomalylib.deploy.saving import load, save
from anomalylib.detectors import base
from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled
from anomalylib.detectors.registry import DETECTORS
from anomalylib.detectors.thresholds import Conformal, Given, Quantile
from anomalylib.errors import UserError
from anomalylib.features import cache
from anomalylib.images.category import load_category
from anomalylib.parameters import parameters_of
from tests.anomalylib.drawn import NORMAL, every_detector, spoiled


def test_the_drawn_detectors_are_all_there_are(extractor):
    assert {name: type(d) for name, d in every_detector(extractor).items()} == dict(DETECTORS)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_keeps_the_interface(name, extractor):
    detector = every_detector(extractor)[name]
    assert detector.fit(NORMAL) is detector
    assert detector.normal_scores_.shape == (8,)
    maps = detector.anomaly_maps(NORMAL[:3])
    assert maps.ndim == 3 and len(maps) == 3
    by_hand = [np.sort(m.ravel())[-10:].mean() for m in maps]
    assert detector.score_samples(NORMAL[:3]) == pytest.approx(by_hand, rel=1e-5)
    assert detector.score_maps(maps) == pytest.approx(by_hand, rel=1e-5)
    nominal = detector.normal_scores_
    assert detector.threshold_ == pytest.approx(nominal.mean() + 3 * nominal.std())
    good, bad = detector.score_samples([NORMAL[0], spoiled(NORMAL[0])])
    assert bad > good
    middle = (good + bad) / 2
    detector.calibrate(Quantile(share=0.5), np.array([middle]))
    assert detector.predict([NORMAL[0], spoiled(NORMAL[0])]).tolist() == [False, True]
    assert set(detector.seconds_) == {"fit", "score"}


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_is_an_estimator(name, extractor):
    detector = every_detector(extractor)[name]
    kind = type(detector)
    fields = set(inspect.signature(kind).parameters)
    assert set(detector.get_params(deep=False)) == fields >= {"top_k", "sigma", "seed", "cache"}
    first = detector.fit(NORMAL).score_samples(NORMAL)
    again = clone(detector)
    assert not hasattr(again, "model_")
    assert (again.fit(NORMAL).score_samples(NORMAL) == first).all()  # one seed, bit for bit
    assert detector.set_params(top_k=1).top_k == 1


def test_a_parameter_out_of_range_is_refused_when_it_is_fitted(extractor):
    with pytest.raises(UserError, match=r"parameter latent=0 \(Combined\): .* or equal to 1"):
        Combined(extractor, latent=0).fit(NORMAL)
    with pytest.raises(TypeError, match="latent"):
        PatchCore(extractor, latent=3)
    assert parameters_of(Combined)["latent"][1] == 50
    assert not {"features", "cache", "keep"} & set(parameters_of(Combined))


def test_one_training_image_is_too_few_and_other_arrays_are_refused(extractor):
    with pytest.raises(UserError, match="1 training images"):
        Pooled(extractor).fit(NORMAL[:1])
    for wrong in ([NORMAL[0] / 200] * 2, [NORMAL[0][..., :2]] * 2):
        with pytest.raises(UserError, match="uint8"):
            Pooled(extractor).fit(wrong)


def test_one_door_for_fitting_maps_scores_and_decisions(extractor):
    detector = Pooled(extractor).fit(torch.from_numpy(np.stack(NORMAL)).permute(0, 3, 1, 2))
    expected = Pooled(extractor).fit(NORMAL).score_samples(NORMAL[:1])
    for one in (NORMAL[0], NORMAL[0] / 255, Image.fromarray(NORMAL[0])):
        assert (detector.score_samples(one) == expected).all()
        assert detector.anomaly_maps(one).shape == (1, 1, 1)
        assert detector.predict([one]).shape == (1,)
    with pytest.raises(UserError, match="red first"):
        detector.score_samples(np.moveaxis(NORMAL[0], 2, 0))


@pytest.mark.parametrize("name", DETECTORS)
def test_one_image_is_scored_as_among_others_and_nothing_is_kept_of_it(
    name, extractor, tmp_path, monkeypatch
):
    passes = []
    forward = extractor.feature_maps
    count = lambda images: passes.append(len(images)) or forward(images)  # noqa: E731
    monkeypatch.setattr(extractor, "feature_maps", count)
    detector = every_detector(extractor, cache=tmp_path / "cache")[name].fit(NORMAL)
    wide = np.concatenate([NORMAL[0], spoiled(NORMAL[1])], axis=1)  # (64, 128, 3)
    for image in (NORMAL[0], spoiled(NORMAL[0]), wide, wide[..., 0], Image.fromarray(wide)):
        passes.clear()
        verdict = detector.inspect(image)
        assert passes == [1] * (name != "autoencoder")
        assert verdict.score == detector.score_samples([image])[0]
        assert (verdict.map == detector.anomaly_maps([image])[0]).all()
        assert verdict.anomalous is bool(detector.predict([image])[0])
        assert type(verdict.score) is float
    assert not (tmp_path / "cache").exists()


def test_inspecting_refuses_several_images_and_a_score_that_is_no_number(extractor):
    detector = Pooled(extractor).fit(NORMAL)
    with pytest.raises(UserError, match="8 images, not one"):
        detector.inspect(NORMAL)
    with pytest.raises(UserError, match="red first"):
        detector.inspect(NORMAL[0] / 200)
    detector.model_.bank.fill_(torch.nan)
    with pytest.raises(UserError, match="no number to compare"):
        detector.inspect(NORMAL[0])


def test_an_image_of_a_category_is_not_kept_when_it_is_inspected(
    category_folder, extractor, tmp_path
):
    train = load_category(category_folder, "bolt").train
    detector = Pooled(extractor, cache=tmp_path / "cache").fit(NORMAL)
    one = replace(train, paths=train.paths[:1])
    assert detector.inspect(one).score == detector.score_samples([train[0]])[0]
    assert not (tmp_path / "cache").exists()


def test_the_scale_of_deep_images_is_learned_and_kept(extractor):
    deep = [image[..., 0].astype(np.uint16) << 4 for image in NORMAL]
    deep[0][0, 0] = 4095
    detector = Pooled(extractor).fit(deep)
    assert detector.bits_ == 12
    dark = [image // 4 for image in deep]  # would need 10 bits alone
    grey = [np.repeat((image >> 4).astype(np.uint8)[..., None], 3, axis=2) for image in dark]
    assert (detector.score_samples(dark) == detector.score_samples(grey)).all()
    with pytest.raises(UserError, match="4095"):
        detector.score_samples([image * 2 for image in deep])


def test_a_threshold_that_is_not_finite_is_refused_where_it_is_set(extractor):
    detector = Pooled(extractor).fit(NORMAL)
    before = detector.threshold_
    for rule, scores in ((Given(np.nan), ()), (Conformal(), np.arange(4.0)), (Quantile(), ())):
        with pytest.raises(UserError, match=r"threshold|no scores"):
            detector.calibrate(rule, scores)
    assert detector.threshold_ == before
    assert detector.calibrate(Given(2.5)).threshold_ == 2.5


def test_calibrating_leaves_the_rule_that_was_given_alone(extractor):
    rule = Quantile(share=0.5)
    detector = Pooled(extractor).fit(NORMAL).calibrate(rule, np.arange(9.0))
    assert detector.threshold_ == 4 and not hasattr(rule, "threshold_")


def test_the_gallery_shows_the_training_images(category_folder, extractor, tmp_path):
    train = load_category(category_folder, "bolt").train
    for detector in every_detector(extractor, cache=tmp_path).values():
        gallery = detector.fit(train).gallery()
        assert gallery.names == train.names and gallery.fingerprint == train.fingerprint
        assert gallery.thumbnails.shape == (4, 96, 96, 3) and len(gallery.vectors) == 4
        assert detector.gallery() is gallery
    unnamed = Pooled(extractor).fit(NORMAL).gallery()
    assert unnamed.names == list("01234567")
    assert unnamed.fingerprint == cache.pixel_hash(NORMAL)


LEARNING = {
    Autoencoder: {"code": 3, "epochs": 2, "learning_rate": 0.5, "batch_size": 3, "side": 32},
    Combined: {"latent": 3, "batch_norm": False, "scale": False, "epochs": 2, "learning_rate": 0.5},
    PatchCore: {"coreset": 0.5},
}


@pytest.mark.parametrize("kind", LEARNING, ids=lambda kind: kind.__name__)
def test_what_is_learned_is_kept_by_all_that_it_depends_on(
    kind, category_folder, extractor, tmp_path, monkeypatch
):
    train = load_category(category_folder, "bolt").train
    learned = []
    monkeypatch.setattr(kind, "_learn", lambda self, inputs: learned.append(1) or kept)
    inputs = () if kind is Autoencoder else (extractor,)

    def fits(**settings):
        before = len(learned)
        detector = kind(*inputs, **{"cache": tmp_path, "seed": 1} | settings)
        detector._kept(train, lambda: detector._learn(None))
        return len(learned) - before

    kept = {"anything": torch.zeros(1)}
    assert fits() == 1
    assert fits() == fits(top_k=3, sigma=1) == 0
    for name, value in (LEARNING[kind] | {"seed": 2}).items():
        assert fits(**{name: value}) == 1, name
    assert fits(keep=False) == 1
    for name in ("code", "code_hash"):
        module = cache if name == "code" else base
        with monkeypatch.context() as patch:
            patch.setattr(module, name, lambda *args: "of another version")
            assert fits() == 1, name


def test_what_was_learned_is_read_back(category_folder, extractor, tmp_path, monkeypatch):
    category = load_category(category_folder, "bolt")
    first = every_detector(extractor, cache=tmp_path)
    scores = {n: d.fit(category.train).score_samples(category.test) for n, d in first.items()}
    for name, detector in every_detector(extractor, cache=tmp_path).items():
        monkeypatch.setattr(type(detector), "_learn", None)
        again = detector.fit(category.train).score_samples(category.test)
        assert np.array_equal(again, scores[name]), name


@pytest.fixture
def with_view(category_folder):
    """A category of which only the left half is looked at."""
    image = load_category(category_folder, "bolt").train[0]
    view = np.zeros(image.shape[:2], np.uint8)
    view[:, : view.shape[1] // 2] = 255
    Image.fromarray(view).save(category_folder / "bolt" / "field_of_view.png")
    return load_category(category_folder, "bolt")


@pytest.mark.parametrize("name", [name for name in DETECTORS if name != "resnet"])
def test_a_place_out_of_view_counts_in_no_map_and_no_score(name, with_view, extractor, tmp_path):
    detector = every_detector(extractor, cache=tmp_path)[name].fit(with_view.train)
    maps = detector.anomaly_maps(with_view.test)
    half = maps.shape[2] // 2
    assert (maps[:, :, half + 1 :] == 0).all() and maps[:, :, :half].any()
    image = with_view.train[0]
    spoilt = image.copy()
    spoilt[:, -8:] = 255 - spoilt[:, -8:]  # far from what is looked at
    assert (detector.anomaly_maps([spoilt])[0, :, half + 1 :] == 0).all()
    assert detector.normal_scores_ == pytest.approx(
        detector.score_maps(
            np.concatenate(
                [*map(detector.seen, detector._normal_maps(detector.prepare(with_view.train)))]
            )
        )
    )
    loaded = load(save(detector, tmp_path / "x.safetensors"), _weights(name, extractor))
    assert (loaded.score_samples([spoilt]) == detector.score_samples([spoilt])).all()
    unlimited = replace(with_view, test=replace(with_view.test, view=None))
    assert with_view.fingerprint != unlimited.fingerprint


def test_a_field_of_view_marks_something_and_fits_the_images(with_view, extractor, tmp_path):
    path = with_view.train.view
    Image.new("L", Image.open(path).size).save(path)
    with pytest.raises(UserError, match="marks nothing to look at"):
        Pooled(extractor, cache=tmp_path).fit(with_view.train)
    Image.new("L", (8, 9), 255).save(path)
    with pytest.raises(UserError, match="has 8 x 9 pixels"):
        Pooled(extractor, cache=tmp_path).fit(with_view.train)
    Image.new("L", (8, 9), 255).save(path.with_suffix(".bmp"))
    with pytest.raises(UserError, match="two fields of view"):
        load_category(path.parents[1], "bolt")


def _weights(name, extractor):
    return "" if name == "autoencoder" else str(extractor.backbone.path)

import numpy as np
import pytest
import torch

from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.base import aggregate
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled
from anomalylib.errors import UserError
from anomalylib.features import cache
from anomalylib.images.category import load_category

RANDOM = np.random.default_rng(0)
NORMAL = [np.clip(RANDOM.normal(120, 8, (64, 64, 3)), 0, 255).astype(np.uint8) for _ in range(8)]


def spoiled(image):
    """The image with a black and white patch in its middle."""
    image = image.copy()
    image[24:40, 24:40] = 255 * (np.indices((16, 16)).sum(axis=0) // 2 % 2)[..., None]
    return image


def every_arm(extractor):
    return [
        Autoencoder(epochs=3, seed=1),
        Pooled(extractor),
        Combined(extractor, epochs=3, latent=4, seed=1),
        PatchCore(extractor, coreset=0.2, seed=1),
    ]


def test_aggregate_is_the_mean_of_the_largest_values():
    maps = RANDOM.normal(size=(5, 6, 7))
    expected = [np.sort(m.ravel())[-10:].mean() for m in maps]
    assert aggregate(maps, 10) == pytest.approx(expected)
    assert aggregate(maps, 1) == pytest.approx(maps.max(axis=(1, 2)))
    assert aggregate(maps, 999) == pytest.approx(maps.mean(axis=(1, 2)))


def test_every_arm_scores_a_spoiled_image_higher(extractor):
    for detector in every_arm(extractor):
        detector.fit(NORMAL)
        good, bad = detector.score_samples([NORMAL[0], spoiled(NORMAL[0])])
        assert bad > good, type(detector).__name__


def test_every_arm_keeps_the_interface(extractor):
    for detector in every_arm(extractor):
        assert detector.fit(NORMAL) is detector
        maps = detector.anomaly_maps(NORMAL[:3])
        assert maps.ndim == 3 and len(maps) == 3
        assert detector.score_samples(NORMAL[:3]) == pytest.approx(aggregate(maps, 10))
        nominal = detector.nominal_scores_
        assert detector.threshold_ == pytest.approx(nominal.mean() + 3 * nominal.std())
        called = detector.predict([NORMAL[0], spoiled(NORMAL[1])])
        assert (
            called.tolist()
            == (
                detector.score_samples([NORMAL[0], spoiled(NORMAL[1])]) > detector.threshold_
            ).tolist()
        )


def test_one_seed_gives_the_same_scores_bit_for_bit(extractor):
    for first, again in zip(every_arm(extractor), every_arm(extractor), strict=True):
        scores = [d.fit(NORMAL).score_samples(NORMAL) for d in (first, again)]
        assert (scores[0] == scores[1]).all(), type(first).__name__


def test_pooled_distance_against_numpy(extractor):
    detector = Pooled(extractor).fit(NORMAL)
    pooled = detector.features(NORMAL).astype(np.float64).mean(axis=(1, 2))
    query = detector.features([spoiled(NORMAL[2])]).astype(np.float64).mean(axis=(1, 2))
    expected = np.linalg.norm(pooled - query, axis=1).min()
    assert detector.score_samples([spoiled(NORMAL[2])])[0] == pytest.approx(expected, rel=1e-4)


def test_the_distance_of_images_that_are_alike_is_not_rounded_away(extractor):
    bank = torch.from_numpy(RANDOM.uniform(0.4, 0.6, (64, 512)).astype(np.float32))
    rows = bank + torch.from_numpy(RANDOM.normal(0, 1e-4, (64, 512)).astype(np.float32))
    detector = Pooled(extractor)
    detector._take({"bank": bank})
    found = np.concatenate(list(detector._nearest(rows))).ravel()
    expected = np.linalg.norm(rows.double().numpy() - bank.double().numpy(), axis=1)
    assert found == pytest.approx(expected, rel=1e-5)


def test_nominal_images_are_not_compared_with_themselves(extractor):
    detector = Pooled(extractor).fit(NORMAL)
    pooled = detector.features(NORMAL).astype(np.float64).mean(axis=(1, 2))
    distance = np.linalg.norm(pooled[:, None] - pooled[None], axis=-1) + np.diag([np.inf] * 8)
    assert detector.nominal_scores_ == pytest.approx(distance.min(axis=1), rel=1e-4)
    assert detector.nominal_scores_.min() > 0


def test_one_training_image_is_too_few(extractor):
    with pytest.raises(UserError, match="1 training images"):
        Pooled(extractor).fit(NORMAL[:1])


def test_the_autoencoder_can_be_watched_while_it_learns():
    seen = {}

    def watch(epoch, detector):
        seen[epoch] = detector.anomaly_maps(NORMAL[:1])

    detector = Autoencoder(epochs=3, on_epoch=watch).fit(NORMAL)
    assert list(seen) == [1, 2, 3]
    assert not np.array_equal(seen[1], seen[3])
    assert np.array_equal(seen[3], detector.anomaly_maps(NORMAL[:1]))


def test_what_an_arm_has_learned_is_not_learned_twice(
    category_folder, extractor, tmp_path, monkeypatch
):
    category = load_category(category_folder, "bolt")

    def arms(**more):
        settings = {"cache_folder": tmp_path, "seed": 1} | more
        return [
            Autoencoder(epochs=2, **settings),
            Combined(extractor, epochs=2, latent=4, **settings),
            PatchCore(extractor, coreset=0.2, **settings),
        ]

    def forbidden(*args, **kwargs):
        raise AssertionError("learned again")

    first = [arm.fit(category.train).score_samples(category.test) for arm in arms()]
    for module in ("autoencoder", "combined"):
        monkeypatch.setattr(f"anomalylib.{module}.fit_reconstruction", forbidden)
    monkeypatch.setattr("anomalylib.detectors.patchcore.greedy_coreset", forbidden)
    again = [arm.fit(category.train).score_samples(category.test) for arm in arms(top_k=10)]
    for scores, scores_again in zip(first, again, strict=True):
        assert np.array_equal(scores, scores_again)
    for anew in ({"seed": 2}, {"keep": False}):
        for arm in arms(**anew):
            with pytest.raises(AssertionError, match="learned again"):
                arm.fit(category.train)


def test_what_was_learned_of_other_features_is_not_taken(category_folder, extractor, monkeypatch):
    train = load_category(category_folder, "bolt").train
    before = PatchCore(extractor)._said(train)
    assert PatchCore(extractor)._said(train) == before
    monkeypatch.setattr(cache, "CODE", "another extractor, torch or Pillow")
    assert PatchCore(extractor)._said(train) != before


def test_another_setting_of_learning_is_learned_anew(category_folder, extractor, tmp_path):
    train = load_category(category_folder, "bolt").train

    def said(kind, *given, **changes):
        return kind(*given, cache_folder=tmp_path, **changes)._said(train)

    learning = {
        Autoencoder: {"code": 3, "epochs": 2, "learning_rate": 0.5, "batch_size": 3},
        Combined: {"latent": 3, "batch_norm": False, "scale": False, "epochs": 2}
        | {"learning_rate": 0.5, "batch_size": 3},
        PatchCore: {"coreset": 0.5},
    }
    for kind, changes in learning.items():
        given = () if kind is Autoencoder else (extractor,)
        usual = said(kind, *given)
        assert said(kind, *given, top_k=3, sigma=1) == usual
        for name, value in changes.items():
            assert said(kind, *given, **{name: value}) != usual, name

import numpy as np
import pytest
import torch

from anomalylib.detectors import (
    AutoencoderDetector,
    CombinedDetector,
    ResnetDetector,
    aggregate,
    channel_moments,
)
from anomalylib.errors import StudyError
from anomalylib.patchcore import PatchcoreDetector

RANDOM = np.random.default_rng(0)
NORMAL = [np.clip(RANDOM.normal(120, 8, (64, 64, 3)), 0, 255).astype(np.uint8) for _ in range(8)]


def spoiled(image):
    """The image with a black and white patch in its middle."""
    image = image.copy()
    image[24:40, 24:40] = 255 * (np.indices((16, 16)).sum(axis=0) // 2 % 2)[..., None]
    return image


def every_arm(extractor):
    return [
        AutoencoderDetector(epochs=3, seed=1),
        ResnetDetector(extractor),
        CombinedDetector(extractor, epochs=3, latent=4, seed=1),
        PatchcoreDetector(extractor, coreset=0.2, seed=1),
    ]


def test_aggregate_is_the_mean_of_the_largest_values():
    maps = RANDOM.normal(size=(5, 6, 7))
    expected = [np.sort(m.ravel())[-10:].mean() for m in maps]
    assert aggregate(maps, 10) == pytest.approx(expected)
    assert aggregate(maps, 1) == pytest.approx(maps.max(axis=(1, 2)))
    assert aggregate(maps, 999) == pytest.approx(maps.mean(axis=(1, 2)))


def test_moments_of_channels_against_numpy():
    features = RANDOM.normal(3, 2, (4, 5, 6, 6)).astype(np.float16)
    features[:, 2] = 7  # a channel that never varies
    mean, std = channel_moments(features)
    exact = features.astype(np.float64)
    assert mean.numpy().ravel() == pytest.approx(exact.mean(axis=(0, 2, 3)), rel=1e-5)
    expected = exact.std(axis=(0, 2, 3))
    expected[2] = 1
    assert std.numpy().ravel() == pytest.approx(expected, rel=1e-5)


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


def test_combined_finds_the_place(extractor):
    detector = CombinedDetector(extractor, epochs=60, latent=4).fit(NORMAL)
    heat = detector.anomaly_maps([spoiled(NORMAL[0])])[0]
    assert heat.shape == (8, 8)
    middle, corners = heat[2:6, 2:6], heat[::7, ::7]
    assert middle.mean() > 2 * corners.mean()


def test_pooled_distance_against_numpy(extractor):
    detector = ResnetDetector(extractor).fit(NORMAL)
    pooled = detector.features(NORMAL).astype(np.float64).mean(axis=(2, 3))
    query = detector.features([spoiled(NORMAL[2])]).astype(np.float64).mean(axis=(2, 3))
    expected = np.linalg.norm(pooled - query, axis=1).min()
    assert detector.score_samples([spoiled(NORMAL[2])])[0] == pytest.approx(expected, rel=1e-4)


def test_nominal_images_are_not_compared_with_themselves(extractor):
    detector = ResnetDetector(extractor).fit(NORMAL)
    pooled = detector.features(NORMAL).astype(np.float64).mean(axis=(2, 3))
    distance = np.linalg.norm(pooled[:, None] - pooled[None], axis=-1) + np.diag([np.inf] * 8)
    assert detector.nominal_scores_ == pytest.approx(distance.min(axis=1), rel=1e-3)
    assert detector.nominal_scores_.min() > 0


def test_one_training_image_is_too_few(extractor):
    with pytest.raises(StudyError, match="1 training images"):
        ResnetDetector(extractor).fit(NORMAL[:1])


def test_without_scaling_the_loss_is_in_the_features_own_units(extractor):
    scaled = CombinedDetector(extractor, epochs=1, latent=4).fit(NORMAL)
    plain = CombinedDetector(extractor, epochs=1, latent=4, scale=False).fit(NORMAL)
    features = extractor(np.stack(NORMAL)).numpy()
    assert torch.equal(plain._scaled(features), torch.from_numpy(features))
    spread = scaled._scaled(features).std(dim=(0, 2, 3))
    varying = features.std(axis=(0, 2, 3)) > 1e-3
    assert spread[torch.from_numpy(varying)].numpy() == pytest.approx(1, abs=0.05)


def test_the_autoencoder_can_be_watched_while_it_learns():
    seen = {}

    def watch(epoch, detector):
        seen[epoch] = detector.anomaly_maps(NORMAL[:1])

    detector = AutoencoderDetector(epochs=3, on_epoch=watch).fit(NORMAL)
    assert list(seen) == [1, 2, 3]
    assert not np.array_equal(seen[1], seen[3])
    assert np.array_equal(seen[3], detector.anomaly_maps(NORMAL[:1]))

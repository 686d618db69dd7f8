import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance

from anomalylib.detectors.combined import Combined
from study.trials import alternatives

QUICK = {"epochs": 1, "latent": 4}
RANDOM = np.random.default_rng(0)
NORMAL = list(RANDOM.integers(90, 110, (6, 64, 64, 3), dtype=np.uint8))


def spoiled(image):
    """An image with a bright square."""
    image = image.copy()
    image[20:40, 20:40] = 255
    return image


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (alternatives.BalancedDetector, QUICK | {"clusters": 4}),
        (alternatives.RelativeDetector, QUICK | {"clusters": 4}),
        (alternatives.WhitenedDetector, QUICK),
        (alternatives.ClusteredDetector, {"clusters": 1}),
        (alternatives.ClusteredDetector, {"clusters": 4}),
        (alternatives.UniformCandidates, {"bank": 40}),
        (alternatives.DrawnBank, {"bank": 40}),
        (alternatives.RandomBank, {"bank": 40}),
    ],
)
def test_every_detector_keeps_the_interface_and_its_seed(extractor, make, settings):
    first = make(extractor, seed=3, **settings).fit(NORMAL)
    maps = first.anomaly_maps([NORMAL[0], spoiled(NORMAL[0])])
    again = make(extractor, seed=3, **settings).fit(NORMAL)
    assert maps.shape == (2, 8, 8) and np.isfinite(maps).all() and maps.min() >= 0
    assert np.array_equal(maps, again.anomaly_maps([NORMAL[0], spoiled(NORMAL[0])]))
    assert maps[1].max() > maps[0].max()


def test_one_gaussian_is_the_mahalanobis_distance_of_scikit_learn(extractor, monkeypatch):
    monkeypatch.setattr(alternatives, "SHRINKAGE", 1e-6)
    random = np.random.default_rng(0)
    mixed = random.normal(size=(6, 8, 8, 5)) @ random.normal(size=(5, 5))
    features = mixed.astype(np.float16)
    detector = alternatives.ClusteredDetector(extractor, clusters=1)
    detector.restore(detector._learn(features))
    found = np.concatenate([*detector.maps(features)]).ravel()
    rows = features.reshape(-1, 5).astype(np.float64)
    expected = EmpiricalCovariance().fit(rows).mahalanobis(rows) / 5
    assert found == pytest.approx(expected, rel=1e-2)


def test_a_whitener_makes_the_covariance_one():
    random = np.random.default_rng(0)
    rows = torch.from_numpy(random.normal(size=(5000, 4)) * [1, 2, 3, 4])
    matrix = alternatives.whitener(rows.T @ rows / len(rows)).double()
    white = (rows @ matrix).T @ (rows @ matrix) / len(rows)
    assert white.numpy() == pytest.approx(np.diag(white.diagonal().numpy()), abs=1e-3)
    assert white.diagonal().min() > 0.8 and white.diagonal().max() <= 1


def test_a_relative_error_is_the_error_over_that_of_like_patches(extractor):
    own = QUICK | {"seed": 1}
    relative = alternatives.RelativeDetector(extractor, clusters=1, **own).fit(NORMAL)
    usual = Combined(extractor, **own).fit(NORMAL)
    maps = usual.anomaly_maps(NORMAL)
    assert relative.anomaly_maps(NORMAL) == pytest.approx(maps / maps.mean(), rel=1e-3)


def test_balanced_training_meets_the_rare_as_often(extractor, monkeypatch):
    random = np.random.default_rng(0)
    features = random.normal(0, 0.1, (10, 8, 8, 6)).astype(np.float16)
    features[0, :2] += 4  # 16 patches of 640
    seen = []

    def watch(make_model, batches, **settings):
        seen.append(np.concatenate([*batches.of_epoch(np.random.default_rng(0))], axis=2))
        return {}

    monkeypatch.setattr(alternatives, "fit_reconstruction", watch)
    detector = alternatives.BalancedDetector(extractor, clusters=2, batch_size=64)
    detector._learn(features)
    (rows,) = seen[0][0]  # (n, C)
    assert len(rows) == 640
    assert (rows[:, 0] > 2).mean() == pytest.approx(0.5, abs=0.06)

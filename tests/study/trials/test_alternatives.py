import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance

from anomalylib.detectors.combined import Combined
from study.trials import alternatives as tried
from tests.anomalylib.detectors.test_base import NORMAL, spoiled

QUICK = {"epochs": 1, "latent": 4}


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (tried.BalancedDetector, QUICK | {"clusters": 4}),
        (tried.RelativeDetector, QUICK | {"clusters": 4}),
        (tried.WhitenedDetector, QUICK),
        (tried.ClusteredDetector, {"clusters": 1}),
        (tried.ClusteredDetector, {"clusters": 4}),
        (tried.UniformCandidates, {"bank": 40}),
        (tried.DrawnBank, {"bank": 40}),
        (tried.RandomBank, {"bank": 40}),
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
    monkeypatch.setattr(tried, "SHRINKAGE", 1e-6)
    random = np.random.default_rng(0)
    mixed = random.normal(size=(6, 8, 8, 5)) @ random.normal(size=(5, 5))
    features = mixed.astype(np.float16)
    detector = tried.ClusteredDetector(extractor, clusters=1)
    detector.features = lambda images: features
    found = detector.fit(range(6)).anomaly_maps(range(6)).ravel()
    rows = features.reshape(-1, 5).astype(np.float64)
    expected = EmpiricalCovariance().fit(rows).mahalanobis(rows) / 5
    assert found == pytest.approx(expected, rel=1e-2)


def test_a_whitener_makes_the_covariance_one():
    random = np.random.default_rng(0)
    rows = torch.from_numpy(random.normal(size=(5000, 4)) * [1, 2, 3, 4])
    matrix = tried.whitener(rows.T @ rows / len(rows)).double()
    white = (rows @ matrix).T @ (rows @ matrix) / len(rows)
    assert white.numpy() == pytest.approx(np.diag(white.diagonal().numpy()), abs=1e-3)
    assert white.diagonal().min() > 0.8 and white.diagonal().max() <= 1


def test_a_relative_error_is_the_error_over_that_of_like_patches(extractor):
    own = QUICK | {"seed": 1}
    relative = tried.RelativeDetector(extractor, clusters=1, **own).fit(NORMAL)
    usual = Combined(extractor, **own).fit(NORMAL)
    maps = usual.anomaly_maps(NORMAL)
    assert relative.anomaly_maps(NORMAL) == pytest.approx(maps / maps.mean(), rel=1e-3)


def test_balanced_training_meets_the_rare_as_often(extractor, monkeypatch):
    random = np.random.default_rng(0)
    features = random.normal(0, 0.1, (10, 8, 8, 6)).astype(np.float16)
    features[0, :2] += 4  # 16 patches of 640
    seen = []

    def watch(make_model, batches, **settings):
        seen.append(torch.cat([*batches.of_epoch(np.random.default_rng(0))], dim=3))
        return {}

    monkeypatch.setattr(tried, "fit_reconstruction", watch)
    detector = tried.BalancedDetector(extractor, clusters=2, batch_size=64)
    detector.features = lambda images: features
    detector._learn(range(10))
    rows = seen[0][0, :, 0].T * detector.std_ + detector.mean_  # (n, C)
    assert len(rows) == 640
    assert (rows[:, 0] > 2).float().mean() == pytest.approx(0.5, abs=0.06)

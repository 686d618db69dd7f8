import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from anomalylib.detectors import knn_reconstruction
from anomalylib.detectors.knn_reconstruction import (
    KNNReconstruction,
    prefer,
    principal_axes,
    rebuilding_errors,
)
from anomalylib.errors import UserError
from tests.anomalylib.drawn import NORMAL, spoiled


def by_lagrange(row, bank, count, ridge):
    """The same minimum as a linear system with a multiplier for the sum of the weights."""
    nearest = bank[np.argsort(np.linalg.norm(bank - row, axis=1))[:count]]
    edges = nearest - row
    gram = edges @ edges.T
    gram += ridge * np.mean(np.diag(gram)) * np.eye(count)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = 2 * gram
    system[count, count] = 0
    weights = np.linalg.solve(system, np.eye(count + 1)[count])[:count]
    assert weights.sum() == pytest.approx(1)
    return np.linalg.norm(weights @ nearest - row)


def test_errors_against_the_constrained_minimum():
    random = np.random.default_rng(0)
    bank, rows = random.normal(size=(40, 6)), random.normal(size=(9, 6))
    expected = [by_lagrange(row, bank, 4, 0.1) for row in rows]
    found = rebuilding_errors(torch.tensor(rows).float(), torch.tensor(bank).float(), 4, 0.1)
    assert found.numpy() == pytest.approx(expected, rel=1e-3)


def test_what_lies_between_normal_patches_is_rebuilt_and_what_lies_beside_is_not():
    angles = torch.linspace(0, 2 * torch.pi, 41)[:-1]
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    bank = torch.cat([circle, torch.zeros(40, 1)], dim=1)
    between = torch.tensor([[np.cos(0.07), np.sin(0.07), 0.0]]).float()
    beside = torch.tensor([[1.0, 0.0, 0.07]])
    errors = [rebuilding_errors(row, bank, 4, 1e-3).item() for row in (between, beside)]
    nearest = [torch.cdist(row, bank).min().item() for row in (between, beside)]
    assert nearest[0] == pytest.approx(nearest[1], rel=0.05)  # alike to the nearest patch
    assert errors[0] < 0.2 * errors[1]


def test_a_bank_of_one_gives_the_distance_to_it():
    rows, bank = torch.randn(5, 3), torch.randn(1, 3)
    expected = (rows - bank).norm(dim=1)
    assert torch.allclose(rebuilding_errors(rows, bank, 10, 0.1), expected, atol=1e-5)


def test_a_patch_of_the_bank_costs_next_to_nothing():
    bank = torch.randn(30, 5)
    assert rebuilding_errors(bank, bank, 5, 0.1).max() < 0.5 * torch.pdist(bank).min()


def test_axes_against_scikit_learn(monkeypatch):
    monkeypatch.setattr(knn_reconstruction, "GATHERED", 50)
    features = np.random.default_rng(1).normal(size=(6, 4, 5, 7)) * np.arange(1, 8)
    features = features.astype(np.float16)
    patches = np.arange(3, 118)
    mean, axes = principal_axes(features, patches, 3)
    rows = features.reshape(-1, 7)[patches].astype(np.float64)
    reference = PCA(3).fit(rows)
    assert mean.numpy() == pytest.approx(rows.mean(axis=0), abs=1e-4)
    expected = reference.components_.T @ reference.components_
    assert (axes @ axes.T).numpy() == pytest.approx(expected, abs=1e-3)


def test_maps_are_the_errors_of_their_patches(extractor):
    detector = KNNReconstruction(extractor, bank=60, dimensions=8, neighbours=3).fit(NORMAL)
    image = spoiled(NORMAL[0])
    features = detector.prepare([image]).astype(np.float32)
    rows = torch.from_numpy(features.reshape(-1, features.shape[-1]))
    rows = (rows - detector.model_.mean) @ detector.model_.axes
    expected = rebuilding_errors(rows, detector.model_.bank, 3, 0.1).numpy()
    assert detector.anomaly_maps([image]).ravel() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert detector.model_.bank.shape == (60, 8)


def test_a_nominal_image_is_rebuilt_from_the_others(extractor):
    detector = KNNReconstruction(extractor, bank=2**16, dimensions=16, top_k=1).fit(NORMAL)
    assert len(detector.model_.bank) == 8 * 64  # all there are
    assert detector.nominal_scores_.min() > 2 * detector.score_samples(NORMAL).max()


def test_a_bank_from_one_image_alone_is_refused(extractor):
    detector = KNNReconstruction(extractor, bank=3, dimensions=4)
    blank = np.zeros((2, 4, 4, 6), dtype=np.float16)
    detector.restore(detector._learn(blank) | {"image": torch.zeros(3, dtype=torch.int64)})
    with pytest.raises(UserError, match="one training image"):
        list(detector._nominal_maps(blank))


def test_a_seed_gives_one_result_and_another_seed_another(extractor, monkeypatch):
    monkeypatch.setattr(knn_reconstruction, "CANDIDATES", 200)
    fits = [KNNReconstruction(extractor, bank=50, seed=seed).fit(NORMAL) for seed in (3, 3, 4)]
    scores = [fit.score_samples(NORMAL) for fit in fits]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_rare_patches_are_preferred():
    weights = np.array([1.0, 1.0, 1.0, 97.0])
    random = np.random.default_rng(0)
    first = [prefer(weights, 1, random)[0] for _ in range(2000)]
    assert np.mean(np.equal(first, 3)) == pytest.approx(0.97, abs=0.02)
    assert sorted(prefer(weights, 4, random)) == [0, 1, 2, 3]
    assert sorted(prefer(np.array([0.0, 5.0, 0.0, 5.0]), 2, random)) == [1, 3]


def test_the_bank_covers_what_is_rare(extractor, monkeypatch):
    monkeypatch.setattr(knn_reconstruction, "CANDIDATES", 40)
    monkeypatch.setattr(knn_reconstruction, "SEEDS", 5)
    detector = KNNReconstruction(extractor, bank=12, dimensions=4)
    features = np.random.default_rng(0).normal(0, 0.01, (10, 8, 8, 6)).astype(np.float16)
    features[7, 2:4, 2:4] += 5  # four patches of 640
    learned = detector._learn(features)
    assert (learned["image"] == 7).any()
    far = (learned["bank"] - learned["bank"].median(dim=0).values).norm(dim=1) > 5
    assert far.any()

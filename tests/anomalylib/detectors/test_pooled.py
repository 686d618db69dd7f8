import numpy as np
import pytest
import torch

from anomalylib.detectors.pooled import NearestImage, Pooled
from tests.anomalylib.drawn import NORMAL, RANDOM, spoiled


def pooled(detector, images):
    return detector.prepare(images).astype(np.float64).mean(axis=(1, 2))


def test_distance_against_numpy(extractor):
    detector = Pooled(extractor).fit(NORMAL)
    query = [spoiled(NORMAL[2])]
    gaps = pooled(detector, NORMAL) - pooled(detector, query)
    expected = np.linalg.norm(gaps, axis=1).min()
    assert detector.score_samples(query)[0] == pytest.approx(expected, rel=1e-4)


def test_the_distance_of_images_that_are_alike_is_not_rounded_away():
    bank = torch.from_numpy(RANDOM.uniform(0.4, 0.6, (64, 512)).astype(np.float32))
    rows = bank + torch.from_numpy(RANDOM.normal(0, 1e-4, (64, 512)).astype(np.float32))
    given = NearestImage(bank).distances(rows).amin(dim=1).numpy()
    expected = np.linalg.norm(rows.double().numpy() - bank.double().numpy(), axis=1)
    assert given == pytest.approx(expected, rel=1e-5)


def test_nominal_images_are_not_compared_with_themselves(extractor, monkeypatch):
    monkeypatch.setattr("anomalylib.detectors.pooled.ROWS", 3)
    detector = Pooled(extractor).fit(NORMAL)
    rows = pooled(detector, NORMAL)
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=-1) + np.diag([np.inf] * 8)
    assert detector.normal_scores_ == pytest.approx(distance.min(axis=1), rel=1e-4)
    assert detector.normal_scores_.min() > 0

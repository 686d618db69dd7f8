import numpy as np
import pytest
import torch
from test_detectors import NORMAL, spoiled

from anomalylib.patchcore import PatchcoreDetector, greedy_coreset


def greedy_by_hand(rows, count, first):
    chosen = [first]
    while len(chosen) < count:
        distance = np.linalg.norm(rows[:, None] - rows[chosen][None], axis=-1).min(axis=1)
        chosen.append(int(distance.argmax()))
    return chosen


def test_the_coreset_takes_the_farthest_row_each_time():
    rows = np.random.default_rng(3).normal(size=(60, 5)).astype(np.float32)
    chosen = greedy_coreset(torch.from_numpy(rows), 12, seed=1).tolist()
    assert chosen == greedy_by_hand(rows.astype(np.float64), 12, chosen[0])


def test_the_coreset_covers_better_than_chance():
    rows = torch.randn(400, 200, generator=torch.Generator().manual_seed(0))
    rows[:20] += 20  # a small, far group
    chosen = greedy_coreset(rows, 10, seed=0)
    assert len(set(chosen.tolist())) == 10
    assert (chosen < 20).any() and (chosen >= 20).any()


def test_distances_against_numpy(extractor):
    detector = PatchcoreDetector(extractor, coreset=0.1).fit(NORMAL)
    features = detector.features([spoiled(NORMAL[0])]).astype(np.float64)
    patches = features[0].reshape(features.shape[1], -1).T
    bank = detector.bank_.numpy().astype(np.float64)
    expected = np.linalg.norm(patches[:, None] - bank[None], axis=-1).min(axis=1)
    heat = detector.anomaly_maps([spoiled(NORMAL[0])])[0]
    assert heat.ravel() == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert len(bank) == round(0.1 * 8 * 64)


def test_a_nominal_image_is_judged_without_its_own_patches(extractor):
    detector = PatchcoreDetector(extractor, coreset=1.0, top_k=1).fit(NORMAL)
    assert detector.score_samples(NORMAL).max() < 0.1  # each patch finds itself
    assert detector.nominal_scores_.min() > 0.2

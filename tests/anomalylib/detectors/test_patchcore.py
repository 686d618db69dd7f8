import numpy as np
import pytest
import torch

from anomalylib.detectors import patchcore
from anomalylib.detectors.patchcore import PatchCore, gather, greedy_coreset, projected
from tests.anomalylib.drawn import NORMAL, spoiled


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
    rows = torch.randn(400, 50, generator=torch.Generator().manual_seed(0))
    rows[:20] += 20  # a small, far group
    chosen = greedy_coreset(rows, 10, seed=0)
    assert len(set(chosen.tolist())) == 10
    assert (chosen < 20).any() and (chosen >= 20).any()


def test_distances_against_numpy(extractor):
    detector = PatchCore(extractor, coreset=0.1).fit(NORMAL)
    features = detector.prepare([spoiled(NORMAL[0])]).astype(np.float64)
    patches = features[0].reshape(-1, features.shape[-1])
    bank = detector.model_.bank.numpy().astype(np.float64)
    expected = np.linalg.norm(patches[:, None] - bank[None], axis=-1).min(axis=1)
    heat = detector.anomaly_maps([spoiled(NORMAL[0])])[0]
    assert heat.ravel() == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert len(bank) == round(0.1 * 8 * 64)


def test_a_nominal_image_is_scored_without_its_own_patches(extractor):
    detector = PatchCore(extractor, coreset=1.0, top_k=1).fit(NORMAL)
    assert detector.score_samples(NORMAL).max() < 0.1  # each patch finds itself
    assert detector.normal_scores_.min() > 0.2


def test_patches_are_gathered_by_their_number():
    features = np.random.default_rng(0).normal(size=(5, 2, 3, 4)).astype(np.float16)
    patches = np.array([29, 0, 7, 6, 29])
    expected = features.reshape(30, 4)[patches].astype(np.float32)
    assert np.array_equal(gather(features, patches).numpy(), expected)


@pytest.mark.parametrize("channels", [4, 300])
def test_a_projection_nearly_keeps_distances(channels):
    features = np.random.default_rng(0).normal(size=(20, 2, 3, channels)).astype(np.float16)
    patches = np.array([0, 3, 50, 51, 118, 119])
    rows = projected(features, patches)
    assert rows.shape == (6, min(channels, 128))
    whole = torch.from_numpy(features.reshape(120, channels)[patches]).float()
    assert torch.allclose(torch.cdist(rows, rows), torch.cdist(whole, whole), rtol=0.25)
    if channels == 4:
        assert torch.equal(rows, whole)


def test_of_many_patches_the_share_is_of_a_random_selection(extractor, monkeypatch):
    monkeypatch.setattr(patchcore, "CANDIDATES", 100)
    detector = PatchCore(extractor, coreset=0.2).fit(NORMAL)
    assert len(detector.model_.bank) == 20
    assert len(set(detector.model_.image.tolist())) > 3


def test_distances_do_not_depend_on_how_many_are_made_at_once(extractor, monkeypatch):
    detector = PatchCore(extractor, coreset=0.1).fit(NORMAL)
    expected = detector.anomaly_maps(NORMAL)
    monkeypatch.setattr(patchcore, "AT_ONCE", 7 * len(detector.model_.bank))
    assert np.allclose(detector.anomaly_maps(NORMAL) ** 2, expected**2, atol=1e-3)

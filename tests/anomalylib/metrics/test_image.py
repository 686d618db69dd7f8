import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylib.metrics import image as metrics
from anomalylib.metrics.image import Confusion, auroc, confusion, roc


def pair_count(labels, scores):
    normal, anomalous = scores[labels == 0], scores[labels == 1]
    wins = sum((a > n) + 0.5 * (a == n) for a in anomalous for n in normal)
    return wins / (len(normal) * len(anomalous))


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_the_share_of_ordered_pairs(seed):
    random = np.random.default_rng(seed)
    labels = np.array([0] * 13 + [1] * 20)
    scores = np.round(random.normal(labels * 0.7, 1), 1)  # rounded: with ties
    assert auroc(labels, scores) == pytest.approx(pair_count(labels, scores), abs=1e-12)


def test_turning_the_sign_mirrors_the_auroc():
    random = np.random.default_rng(1)
    labels = np.array([0, 1] * 25)
    scores = random.normal(size=50)
    assert auroc(labels, -scores) == pytest.approx(1 - auroc(labels, scores), abs=1e-12)


def test_perfect_scores_reach_one_and_higher_means_anomalous():
    assert auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4])) == 1.0


def test_area_under_the_curve_is_the_auroc():
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, 60)
    scores = random.normal(size=60)
    assert np.trapezoid(*roc(labels, scores)[::-1]) == pytest.approx(auroc(labels, scores))


def test_confusion_counts_only_scores_above_the_threshold():
    labels = np.array([0, 0, 0, 1, 1])
    scores = np.array([1.0, 2.0, 3.0, 2.0, 4.0])
    counts = confusion(labels, scores, 2.0)
    assert counts == Confusion(true_normal=2, false_alarm=1, miss=1, hit=1)
    assert counts.false_positive_rate == pytest.approx(1 / 3)
    assert counts.recall == 0.5


def test_confusion_keeps_its_shape_when_nothing_is_called_anomalous():
    counts = confusion(np.array([0, 1]), np.array([0.0, 0.0]), 5.0)
    assert counts == Confusion(1, 0, 1, 0)


def test_average_precision_against_its_definition():
    labels = np.array([0, 1, 0, 1, 1])
    scores = np.array([0.1, 0.9, 0.8, 0.7, 0.2])
    # Ranked: hit, false alarm, hit, hit: precision 1, 2/3, 3/4 at the three hits.
    expected = (1 + 2 / 3 + 3 / 4) / 3
    assert metrics.average_precision(labels, scores) == pytest.approx(expected)


def test_the_best_f1_against_every_threshold():
    random = np.random.default_rng(3)
    labels = np.array([0] * 12 + [1] * 9)
    scores = random.normal(size=21) + labels
    found = []
    for threshold in scores:
        called = scores >= threshold
        hits = (called & (labels == 1)).sum()
        found.append(2 * hits / (called.sum() + labels.sum()))
    assert metrics.f1_max(labels, scores) == pytest.approx(max(found))
    assert metrics.f1_max(labels, -scores) >= 2 * 9 / (21 + 9) - 1e-9  # calling all anomalous


@st.composite
def scored(draw):
    """Labels of both kinds, and whole-numbered scores with ties."""
    labels = [0, 1, *draw(st.lists(st.integers(0, 1), max_size=30))]
    scores = draw(st.lists(st.integers(-50, 50), min_size=len(labels), max_size=len(labels)))
    return np.array(labels), np.array(scores, dtype=float)


@given(scored())
def test_auroc_is_the_share_of_pairs_won_whatever_the_scale(case):
    labels, scores = case
    pairs = scores[labels == 1][:, None] - scores[labels == 0]
    won = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert metrics.auroc(labels, scores) == pytest.approx(won)
    assert metrics.auroc(labels, np.exp(scores / 10)) == pytest.approx(won)
    assert metrics.auroc(1 - labels, scores) == pytest.approx(1 - won)


@given(scored(), st.integers(-60, 60), st.integers(0, 20))
def test_decisions_count_every_image_and_fall_with_the_threshold(case, threshold, higher):
    labels, scores = case
    low = metrics.confusion(labels, scores, threshold)
    high = metrics.confusion(labels, scores, threshold + higher)
    assert sum(low) == len(labels) and low.hit + low.miss == labels.sum()
    assert high.hit <= low.hit and high.false_alarm <= low.false_alarm
    assert low.hit == sum(1 for y, s in zip(labels, scores, strict=True) if y and s > threshold)


@given(scored())
def test_precision_based_metrics_stay_between_guessing_and_one(case):
    labels, scores = case
    assert 0 < metrics.average_precision(labels, scores) <= 1 + 1e-12
    everything = 2 * labels.mean() / (labels.mean() + 1)  # F1 of calling all anomalous
    assert everything - 1e-9 <= metrics.f1_max(labels, scores) <= 1

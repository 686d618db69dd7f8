import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from anomalylib.detectors.thresholds import Conformal
from anomalylib.metrics import intervals


@pytest.fixture
def judged():
    """Labels, and scores of two related arms that know a little."""
    random = np.random.default_rng(0)
    labels = np.array([0] * 25 + [1] * 40)
    first = random.normal(size=65) + 1.2 * labels
    second = 0.7 * first + random.normal(size=65) + 0.3 * labels
    return labels, first.round(1), second.round(1)  # rounded, so that there are ties


def test_the_mean_win_is_the_auroc(judged):
    labels, scores, _ = judged
    assert intervals.win_matrix(labels, scores).mean() == pytest.approx(
        roc_auc_score(labels, scores), abs=1e-12
    )


def test_several_seeds_give_the_mean_auroc(judged):
    labels, first, second = judged
    both = intervals.win_matrix(labels, np.stack([first, second]))
    expected = (roc_auc_score(labels, first) + roc_auc_score(labels, second)) / 2
    assert both.mean() == pytest.approx(expected, abs=1e-12)


def test_delong_is_the_formula_of_the_paper_written_with_loops(judged):
    labels, scores, _ = judged
    x, y = scores[labels == 1], scores[labels == 0]
    psi = [[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x]
    theta = sum(map(sum, psi)) / (len(x) * len(y))
    v10 = [sum(row) / len(y) for row in psi]
    v01 = [sum(row[j] for row in psi) / len(x) for j in range(len(y))]
    s10 = sum((v - theta) ** 2 for v in v10) / (len(x) - 1)
    s01 = sum((v - theta) ** 2 for v in v01) / (len(y) - 1)
    half = 1.959963985 * (s10 / len(x) + s01 / len(y)) ** 0.5
    found = intervals.delong(intervals.win_matrix(labels, scores))
    assert found == pytest.approx((theta, theta - half, theta + half), abs=1e-9)


def test_delongs_error_is_near_the_spread_of_many_draws():
    random = np.random.default_rng(1)
    labels = np.array([0] * 40 + [1] * 60)
    draws = [random.normal(size=100) + labels for _ in range(400)]
    spread = np.std([roc_auc_score(labels, scores) for scores in draws])
    errors = [intervals.standard_error(intervals.win_matrix(labels, s)) for s in draws[:50]]
    assert np.mean(errors) == pytest.approx(spread, rel=0.15)


def test_the_bootstrap_draws_within_each_class(judged):
    labels, scores, _ = judged
    wins = intervals.win_matrix(labels, scores)
    random = np.random.default_rng(5)
    anomalous, normal = scores[labels == 1], scores[labels == 0]
    truth = np.repeat([1, 0], [len(anomalous), len(normal)])
    own = [
        roc_auc_score(
            truth,
            np.append(random.choice(anomalous, len(anomalous)), random.choice(normal, len(normal))),
        )
        for _ in range(2000)
    ]
    found = intervals.bootstrap(wins)
    assert (found.low, found.high) == pytest.approx(np.quantile(own, [0.025, 0.975]), abs=0.015)
    assert found == intervals.bootstrap(wins)  # one seed, one interval


def test_the_paired_test_is_delongs_with_the_covariance(judged):
    labels, first, second = judged
    components = []
    for scores in (first, second):
        wins = intervals.win_matrix(labels, scores)
        components.append((wins.mean(axis=1), wins.mean(axis=0)))
    s10 = np.cov([own[0] for own in components])
    s01 = np.cov([own[1] for own in components])
    total = s10 / (labels == 1).sum() + s01 / (labels == 0).sum()
    contrast = np.array([1, -1])
    difference = roc_auc_score(labels, first) - roc_auc_score(labels, second)
    z = difference / np.sqrt(contrast @ total @ contrast)
    p = intervals.paired_p(
        intervals.win_matrix(labels, first), intervals.win_matrix(labels, second)
    )
    assert p == pytest.approx(2 * stats.norm.sf(abs(z)), abs=1e-12)


def test_equal_arms_are_not_told_apart(judged):
    labels, scores, _ = judged
    wins = intervals.win_matrix(labels, scores)
    assert intervals.paired_p(wins, wins) == 1


def test_a_perfect_score_has_an_interval_without_width():
    wins = np.ones((5, 4))
    assert intervals.delong(wins) == (1, 1, 1)


@pytest.mark.parametrize(("count", "total"), [(0, 22), (4, 22), (22, 22), (3, 41)])
def test_bounds_are_beta_quantiles(count, total):
    upper = 1.0 if count == total else stats.beta.ppf(0.95, count + 1, total - count)
    lower = 0.0 if count == 0 else stats.beta.ppf(0.05, count, total - count + 1)
    assert intervals.upper_bound(count, total) == pytest.approx(upper, abs=1e-9)
    assert intervals.lower_bound(count, total) == pytest.approx(lower, abs=1e-9)


def test_no_false_alarm_among_22_allows_one_in_eight():
    assert intervals.upper_bound(0, 22) == pytest.approx(1 - 0.05 ** (1 / 22))


def test_one_set_of_held_out_images_may_promise_less_than_the_average():
    random = np.random.default_rng(0)
    held, alpha = 44, 0.05
    drawn = random.random((4000, held))
    threshold = np.array([Conformal(alpha=alpha).fit(row).threshold_ for row in drawn])
    rates = 1 - threshold  # uniform scores: the share of new ones above it
    assert rates.mean() <= alpha
    assert intervals.conformal_bound(held, alpha) == pytest.approx(
        np.quantile(rates, 0.95), abs=5e-3
    )

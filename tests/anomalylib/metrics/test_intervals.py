import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from anomalylib.detectors.thresholds import Conformal
from anomalylib.metrics import intervals


@pytest.fixture
def scored():
    """Labels, and scores of two related models that know a little."""
    random = np.random.default_rng(0)
    labels = np.array([0] * 25 + [1] * 40)
    first = random.normal(size=65) + 1.2 * labels
    second = 0.7 * first + random.normal(size=65) + 0.3 * labels
    return labels, first.round(1), second.round(1)  # rounded, so that there are ties


def test_the_mean_win_is_the_auroc(scored):
    labels, scores, _ = scored
    assert intervals.win_matrix(labels, scores).mean() == pytest.approx(
        roc_auc_score(labels, scores), abs=1e-12
    )


def test_several_seeds_give_the_mean_auroc(scored):
    labels, first, second = scored
    both = intervals.win_matrix(labels, np.stack([first, second]))
    expected = (roc_auc_score(labels, first) + roc_auc_score(labels, second)) / 2
    assert both.mean() == pytest.approx(expected, abs=1e-12)


def test_delong_is_the_formula_of_the_paper_written_with_loops(scored):
    labels, scores, _ = scored
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


def test_the_bootstrap_draws_within_each_class(scored):
    labels, scores, _ = scored
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


def test_the_paired_test_is_delongs_with_the_covariance(scored):
    labels, first, second = scored
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


def test_equal_models_are_not_told_apart(scored):
    labels, scores, _ = scored
    wins = intervals.win_matrix(labels, scores)
    assert intervals.paired_p(wins, wins) == 1


def test_delong_says_nothing_where_it_would_have_no_width():
    for wins in (np.ones((5, 4)), np.full((1, 4), 0.5)):
        value, *ends = intervals.delong(wins)
        assert value == wins[0, 0]
        assert np.isnan(ends).all()


@pytest.mark.parametrize(
    ("value", "anomalous", "normal"), [(0.8, 20, 20), (1.0, 2, 2), (0.0, 3, 1), (0.97, 93, 22)]
)
def test_newcombes_ends_solve_his_equation(value, anomalous, normal):
    squared = stats.chi2.ppf(0.95, 1)
    for end in intervals.newcombe(value, anomalous, normal)[1:]:
        if end in (0, 1):
            assert end == value
            continue
        shared = (anomalous + normal - 2) / 2
        first, second = end / (2 - end) - end**2, 2 * end**2 / (1 + end) - end**2  # Q1, Q2 less A²
        # Hanley and McNeil's variance, whose two parts trade places in a mean of both designs
        variance = (end * (1 - end) + shared * (first + second)) / (anomalous * normal)
        assert (value - end) ** 2 == pytest.approx(squared * variance, rel=1e-6)


def test_the_example_of_the_methods_page():
    assert intervals.auroc_interval(np.ones((2, 2))).low == pytest.approx(0.386, abs=5e-4)


@pytest.mark.parametrize("counts", [(1, 1), (2, 2), (1, 30), (119, 41)])
def test_a_perfect_score_is_as_sure_as_the_counts_allow(counts):
    perfect, worst = np.ones(counts), np.zeros(counts)
    value, low, high = intervals.auroc_interval(perfect)
    assert value == high == 1
    assert 0 < low < 1
    assert intervals.auroc_interval(worst) == pytest.approx((0, 0, 1 - low), abs=1e-6)
    more = intervals.auroc_interval(np.ones((counts[0] + 3, counts[1] + 3)))
    assert more.low > low
    assert intervals.difference_interval(perfect, perfect)[0] == 0
    assert intervals.difference_interval(perfect, perfect).low < -(1 - low) + 1e-9


def test_an_interval_covers_the_truth_with_few_images():
    random = np.random.default_rng(3)
    truth, covered = 0.9, 0
    for _ in range(300):
        scores = random.normal(size=11) + np.repeat([2**0.5 * stats.norm.ppf(truth), 0], [4, 7])
        found = intervals.auroc_interval(intervals.win_matrix(np.repeat([1, 0], [4, 7]), scores))
        covered += found.low <= truth <= found.high
    assert covered >= 0.9 * 300


def test_with_images_enough_the_intervals_are_the_bootstraps(scored):
    labels, first, second = scored
    wins, others = (intervals.win_matrix(labels, each) for each in (first, second))
    assert min(wins.shape) >= intervals.FEW
    assert intervals.auroc_interval(wins) == intervals.bootstrap(wins)
    assert intervals.difference_interval(wins, others) == intervals.bootstrap(wins - others)


def test_a_difference_of_few_images_lies_in_its_interval_as_newcombes_do():
    wins, others = np.ones((3, 4)), np.tile([1.0, 0.5, 0.0, 1.0], (3, 1))
    value, low, high = intervals.difference_interval(wins, others)
    one, other = intervals.newcombe(1.0, 3, 4), intervals.newcombe(0.625, 3, 4)
    assert value == 0.375
    assert low == pytest.approx(0.375 - np.hypot(1 - one.low, other.high - 0.625))
    assert high == pytest.approx(0.375 + 0.625 - other.low)


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

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from anomalylib.errors import UserError
from anomalylib.metrics import intervals
from study.tables.covariate import LEAST_OVERLAP, adjusted_auroc


@pytest.fixture
def few_draws(monkeypatch):
    """An interval that takes no time, for tests of the value on many images."""
    monkeypatch.setattr("study.tables.covariate.RESAMPLES", 10)


def drawn(anomalous, normal, gap=1.0, slope=0.0, shift=0.0, spread=1.0, seed=0):
    """Labels, scores and covariate, both normally distributed, the score by a line plus noise."""
    random = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [anomalous, normal])
    covariate = random.normal(size=len(labels)) + shift * labels
    noise = random.normal(size=len(labels)) * np.where(labels == 1, spread, 1)
    return labels, slope * covariate + gap * labels + noise, covariate


def with_loops(anomalous, of_anomalous, normal, of_normal):
    """Mean placement of anomalous images among the normal ones, moved along their line."""
    slope, _ = np.polyfit(of_normal, normal, 1)
    placements = []
    for score, at in zip(anomalous, of_anomalous, strict=True):
        moved = [other + slope * (at - x) for other, x in zip(normal, of_normal, strict=True)]
        placements.append(np.mean([(other < score) + (other == score) / 2 for other in moved]))
    return np.mean(placements)


def in_classes(labels, scores, covariate):
    return scores[labels == 1], covariate[labels == 1], scores[labels == 0], covariate[labels == 0]


@pytest.mark.parametrize("seed", range(4))
def test_the_value_is_the_mean_placement_written_with_loops(seed):
    case = drawn(12, 15, slope=1.5, shift=0.1, seed=seed)
    expected = with_loops(*in_classes(*case))
    assert adjusted_auroc(*case).auroc == pytest.approx(expected, abs=1e-12)


def test_a_covariate_that_says_nothing_leaves_the_plain_auroc(few_draws):
    for counts, near in (((90, 30), 0.02), ((1500, 1000), 2e-3)):
        labels, scores, covariate = drawn(*counts)
        found = adjusted_auroc(labels, scores, covariate).auroc
        assert found == pytest.approx(roc_auc_score(labels, scores), abs=near)


@pytest.mark.parametrize(("gap", "spread"), [(0, 1), (1, 1), (2, 1), (1, 2)])
def test_the_binormal_model_has_its_closed_form(gap, spread, few_draws):
    case = drawn(3000, 1500, gap, slope=2, shift=1, spread=spread)
    expected = stats.norm.cdf(gap / np.hypot(1, spread))
    assert adjusted_auroc(*case).auroc == pytest.approx(expected, abs=0.02)


def test_what_the_covariate_alone_tells_is_taken_away(few_draws):
    labels, scores, covariate = drawn(1500, 1000, gap=0, slope=2, shift=1)
    assert roc_auc_score(labels, scores) > 0.7
    assert adjusted_auroc(labels, scores, covariate).auroc == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("level", [0, 1e-3, 1e6])
def test_a_score_that_is_the_covariate_and_no_more_is_chance(level):
    labels, _, covariate = drawn(40, 20, shift=0.5)
    found = adjusted_auroc(labels, 3 * covariate + level, covariate + level)
    assert found[:3] == (0.5, 0.5, 0.5)


def test_ties_count_one_half():
    labels = np.repeat([1, 0], [10, 20])
    covariate = np.concatenate([np.full(10, 0.5), np.tile([0.0, 1.0], 10)])
    scores = np.repeat([1.0, 0.0], [20, 10])  # level on both sides of the middle: 10 of 20 tie
    assert adjusted_auroc(labels, scores, covariate).auroc == pytest.approx(0.75)


def test_scale_and_unit_do_not_matter():
    labels, scores, covariate = drawn(40, 20, slope=1, shift=0.4)
    found = adjusted_auroc(labels, scores, covariate)
    other = adjusted_auroc(labels, 1e-3 * scores + 7, 5e4 - 1e4 * covariate)
    assert other == pytest.approx(found, abs=1e-12)


def test_seeds_have_lines_of_their_own_and_are_averaged():
    labels, first, covariate = drawn(40, 20, slope=2)
    second = first - 5 * covariate
    both = adjusted_auroc(labels, np.stack([first, second]), covariate)
    one = adjusted_auroc(labels, first, covariate)
    assert both == pytest.approx(one, abs=1e-12)  # lines of their own: the same residuals
    third = drawn(40, 20, seed=5)[1]
    mean = (one.auroc + adjusted_auroc(labels, third, covariate).auroc) / 2
    assert adjusted_auroc(labels, np.stack([first, third]), covariate).auroc == pytest.approx(mean)


def test_the_interval_draws_within_each_class_and_fits_anew():
    labels, scores, covariate = drawn(40, 12, slope=2, shift=1)
    _, _, normal, of_normal = in_classes(labels, scores, covariate)
    random = np.random.default_rng(5)
    own = []
    for _ in range(1500):
        one, other = random.integers(40, size=40), random.integers(12, size=12)
        slope, level = np.polyfit(of_normal[other], normal[other], 1)
        residuals = scores - slope * covariate - level
        rows = np.append(residuals[labels == 1][one], residuals[labels == 0][other])
        own.append(roc_auc_score(labels, rows))
    found = adjusted_auroc(labels, scores, covariate)
    assert found[1:3] == pytest.approx(np.quantile(own, [0.025, 0.975]), abs=0.02)
    known = scores - np.polyval(np.polyfit(of_normal, normal, 1), covariate)
    assert intervals.bootstrap(intervals.win_matrix(labels, known)).low > found.low + 0.04
    assert found == adjusted_auroc(labels, scores, covariate)  # one seed, one interval
    assert found != adjusted_auroc(labels, scores, covariate, seed=1)


def test_the_interval_covers_the_truth_with_few_normal_images():
    truth, covered = stats.norm.cdf(1 / 2**0.5), 0
    for seed in range(100):
        found = adjusted_auroc(*drawn(40, 20, slope=2, shift=0.3, seed=seed))
        covered += found.low <= truth <= found.high
    assert covered >= 88


def test_a_draw_of_normal_images_alike_in_the_covariate_has_a_level_line():
    labels, scores, covariate = drawn(20, 10)
    covariate = np.where(np.arange(30) == 29, 1.0, np.where(labels == 1, 0.75, 0.5))
    with np.errstate(all="raise"):
        found = adjusted_auroc(
            labels, scores, covariate
        )  # a third of the draws miss the last image
    assert np.isfinite(found).all() and found.low < found.auroc < found.high


def test_little_overlap_is_not_identified():
    labels, scores, covariate = drawn(40, 20)
    normal = covariate[labels == 0]
    low, high = normal.min(), normal.max()
    for inside, identified in ((0, False), (19, False), (20, True), (40, True)):
        covariate[:40] = np.where(np.arange(40) < inside, np.resize([low, high], 40), high + 1)
        found = adjusted_auroc(labels, scores, covariate)
        assert found.overlap == inside / 40
        assert np.isfinite(found[:3]).all() == identified == (found.overlap >= LEAST_OVERLAP)
        assert np.isnan(found[:3]).all() != identified


def test_a_covariate_without_variance_is_not_identified():
    labels, scores, _ = drawn(40, 20)
    found = adjusted_auroc(labels, scores, np.ones(60))
    assert np.isnan(found[:3]).all() and found.overlap == 1


@pytest.mark.parametrize("counts", [(30, 0), (0, 30), (30, intervals.FEW - 1)])
def test_too_few_normal_images_or_one_class_are_not_identified(counts):
    found = adjusted_auroc(*drawn(*counts))
    assert np.isnan(found[:3]).all()
    assert np.isnan(found.overlap) == (min(counts) == 0)


def test_where_draws_say_too_little_the_interval_is_newcombes():
    few = adjusted_auroc(*drawn(intervals.FEW - 1, 20))
    assert few[:3] == intervals.newcombe(few.auroc, intervals.FEW - 1, 20)
    assert adjusted_auroc(*drawn(40, 20, gap=30))[:3] == intervals.newcombe(1.0, 40, 20)
    assert adjusted_auroc(*drawn(40, 20, gap=-30))[:3] == intervals.newcombe(0.0, 40, 20)


def test_what_does_not_fit_is_an_error():
    labels, scores, covariate = drawn(40, 20)
    for wrong in ((labels, scores[1:], covariate), (labels, scores, covariate[1:])):
        with pytest.raises(UserError, match="do not fit"):
            adjusted_auroc(*wrong)
    with pytest.raises(UserError, match="neither 0 nor 1"):
        adjusted_auroc(labels * 2, scores, covariate)
    for wrong in ((scores, covariate * np.nan), (np.full(60, np.inf), covariate)):
        with pytest.raises(UserError, match="not a finite number"):
            adjusted_auroc(labels, *wrong)

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylib.detectors import thresholds
from anomalylib.detectors.thresholds import Conformal, MeanPlusSigma, Quantile
from anomalylib.errors import UserError


def test_mean_plus_sigma_against_the_standard_library():
    scores = np.random.default_rng(0).gamma(2, size=50)
    expected = statistics.fmean(scores) + 2.5 * statistics.pstdev(scores)
    assert MeanPlusSigma(sigma=2.5).fit(scores).threshold_ == pytest.approx(expected)


def test_the_quantile_lies_where_asked():
    scores = np.arange(101.0)
    assert thresholds.Quantile(share=0.99).fit(scores).threshold_ == 99


def test_conformal_keeps_its_promise_on_new_scores():
    random = np.random.default_rng(0)
    alarms = []
    for _ in range(4000):
        scores = random.lognormal(size=45)  # skewed: the rule must not care
        threshold = thresholds.Conformal(alpha=0.05).fit(scores[:44]).threshold_
        alarms.append(scores[44] > threshold)
    # 44 scores: the 43rd is taken, so the exact rate is 2 of 45
    assert np.mean(alarms) == pytest.approx(2 / 45, abs=0.012)


def test_conformal_refuses_to_promise_with_too_few():
    scores = np.arange(44.0)
    assert thresholds.Conformal(alpha=0.05).fit(scores).threshold_ == 42
    assert thresholds.Conformal(alpha=0.01).fit(scores).threshold_ == np.inf


def test_a_threshold_that_is_given_needs_no_scores():
    rule = thresholds.Given(3.5).finite([])
    assert rule.threshold_ == 3.5 and rule.origin == "given"


@pytest.mark.parametrize(
    ("rule", "scores"),
    [
        (thresholds.Given(np.nan), []),
        (thresholds.Given(-np.inf), [1.0]),
        (Conformal(alpha=0.05), np.arange(4.0)),
        (Conformal(alpha=0), np.arange(400.0)),
        (MeanPlusSigma(sigma=np.inf), np.arange(4.0)),
        (MeanPlusSigma(), [1.0, np.nan]),
        (Quantile(), [1.0, np.inf]),
        (MeanPlusSigma(), []),
        (Quantile(), []),
    ],
)
def test_no_threshold_is_set_that_is_no_finite_number(rule, scores):
    with pytest.raises(UserError, match=r"sets a threshold of|no scores of normal images"):
        rule.finite(scores)


def test_a_share_is_a_share():
    for kind, name in ((Quantile, "share"), (Conformal, "alpha")):
        for wrong in (-0.1, 1.5, np.nan):
            with pytest.raises(UserError, match=f"{name}={wrong} is no share"):
                kind(wrong)


def test_single_precision_stays_single_precision():
    scores = np.random.default_rng(0).normal(40, 2, 220).astype(np.float32)
    expected = float(scores.mean() + 3 * scores.std())
    assert MeanPlusSigma().fit(scores).threshold_ == expected


def test_a_rule_says_how_many_scores_it_has_learned_from():
    rule = MeanPlusSigma().fit(np.arange(7.0))
    assert rule.origin == "mean + 3σ of the normal scores, from 7 images"


SCORES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=60).map(np.array)
SOME = [MeanPlusSigma(sigma=2.5), Quantile(share=0.9), Conformal(alpha=0.1)]


@pytest.mark.parametrize("rule", SOME, ids=lambda rule: type(rule).__name__)
@given(scores=SCORES, shift=st.floats(-100, 100), scale=st.floats(0.1, 10))
def test_a_rule_knows_neither_order_nor_unit(rule, scores, shift, scale):
    threshold = rule.fit(scores).threshold_
    assert rule.fit(scores[::-1]).threshold_ == pytest.approx(threshold)
    moved = rule.fit(scores * scale + shift).threshold_
    assert moved == pytest.approx(threshold * scale + shift, abs=1e-6)


@given(scores=SCORES, alpha=st.floats(0.02, 0.5))
def test_a_conformal_threshold_leaves_no_more_above_it_than_promised(scores, alpha):
    threshold = Conformal(alpha=alpha).fit(scores).threshold_
    assert (scores > threshold).sum() <= alpha * (len(scores) + 1)
    assert np.isinf(threshold) or threshold in scores


@given(scores=SCORES, share=st.floats(0, 1))
def test_a_quantile_lies_among_the_scores(scores, share):
    threshold = Quantile(share=share).fit(scores).threshold_
    assert scores.min() - 1e-9 <= threshold <= scores.max() + 1e-9
    above = (scores > threshold + 1e-9).mean()
    assert above <= 1 - share + 1 / len(scores)

import statistics

import numpy as np
import pytest

from anomalylib import thresholds
from anomalylib.thresholds import MeanPlusSigma


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

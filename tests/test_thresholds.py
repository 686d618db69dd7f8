import statistics

import numpy as np
import pytest

from anomalylib.thresholds import MeanPlusSigma


def test_mean_plus_sigma_against_the_standard_library():
    scores = np.random.default_rng(0).gamma(2, size=50)
    expected = statistics.fmean(scores) + 2.5 * statistics.pstdev(scores)
    assert MeanPlusSigma(sigma=2.5).fit(scores).threshold_ == pytest.approx(expected)

import numpy as np
import pytest

from anomalylib.metrics.intervals import lower_bound, upper_bound
from study.tables.verdicts import TOLERANCE, order_verdict, threshold_verdict, value_verdict


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.25, 0.75, "met"),  # the whole of what is tolerated
        (0.4, 0.6, "met"),
        (0.6, 0.7, "met"),  # the claim itself is not inside
        (0.24, 0.6, "undecided"),
        (0.4, 0.76, "undecided"),
        (0.1, 0.9, "undecided"),
        (0.75, 0.9, "undecided"),  # touches it
        (0.1, 0.25, "undecided"),
        (0.76, 0.9, "contradicted"),
        (0.1, 0.24, "contradicted"),
        (np.nan, np.nan, "undecided"),
    ],
)
def test_a_value_is_met_within_the_tolerance_and_contradicted_beyond(low, high, expected):
    assert value_verdict(low, high, 0.5, tolerance=0.25) == expected


def test_the_tolerance_is_as_documented():
    assert TOLERANCE == 0.05
    assert value_verdict(0.95, 1, 0.99) == "met"
    assert value_verdict(0.93, 1, 0.99) == "undecided"
    assert value_verdict(0.4, 0.6, 0.33) == "contradicted"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 0.2, "met"),
        (0, 0.2, "undecided"),
        (-0.1, 0.1, "undecided"),
        (-0.2, 0, "undecided"),
        (-0.2, -0.001, "contradicted"),
        (np.nan, np.nan, "undecided"),
    ],
)
def test_an_order_is_met_where_the_difference_is_above_zero(low, high, expected):
    assert order_verdict(low, high) == expected


@pytest.mark.parametrize(
    ("recall", "false_positive_rate", "expected"),
    [
        ((0.9, 1), (0, 0.05), "met"),
        ((0.89, 1), (0, 0.05), "undecided"),
        ((0.9, 1), (0, 0.06), "undecided"),
        ((0.5, 0.9), (0.05, 0.3), "undecided"),  # both bounds just reach
        ((0.5, 0.89), (0, 0.05), "contradicted"),
        ((0.9, 1), (0.06, 0.3), "contradicted"),
        ((0.5, 0.89), (0.06, 0.3), "contradicted"),
        ((np.nan, np.nan), (0, 0.05), "undecided"),
        ((np.nan, np.nan), (0.06, 0.3), "contradicted"),  # one excluded bound is enough
    ],
)
def test_a_threshold_must_hold_by_both_bounds_and_fails_by_one(
    recall, false_positive_rate, expected
):
    assert threshold_verdict(recall, false_positive_rate) == expected


@pytest.mark.parametrize(
    ("normal", "anomalous", "expected"),
    [(59, 29, "met"), (58, 29, "undecided"), (59, 28, "undecided"), (22, 93, "undecided")],
)
def test_a_threshold_without_error_is_met_by_59_normal_and_29_anomalous_images(
    normal, anomalous, expected
):
    recall = lower_bound(anomalous, anomalous), upper_bound(anomalous, anomalous)
    false_positive_rate = lower_bound(0, normal), upper_bound(0, normal)
    assert threshold_verdict(recall, false_positive_rate) == expected

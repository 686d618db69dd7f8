"""Whether a claim is met, contradicted or left undecided by an interval.

An interval that is not a number leaves every claim undecided.
"""

from typing import Literal

Verdict = Literal["met", "contradicted", "undecided"]
TOLERANCE = 0.05
"""How far an AUROC may lie from a claim of "about" so much: a choice of this study."""


def value_verdict(low: float, high: float, claim: float, tolerance: float = TOLERANCE) -> Verdict:
    """Whether a value is about what is claimed, from its interval.

    Met if the whole interval lies within the tolerance of the claim (an equivalence test:
    Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 1987), contradicted if no point
    of it does.
    """
    if claim - tolerance <= low and high <= claim + tolerance:
        return "met"
    return "contradicted" if high < claim - tolerance or low > claim + tolerance else "undecided"


def order_verdict(low: float, high: float) -> Verdict:
    """Whether the first is better, from the interval of its paired difference to the second."""
    if low > 0:
        return "met"
    return "contradicted" if high < 0 else "undecided"


def threshold_verdict(
    recall: tuple[float, float],
    false_positive_rate: tuple[float, float],
    least: float = 0.9,
    most: float = 0.05,
) -> Verdict:
    """Whether a threshold finds enough and alarms seldom, from one-sided bounds of both rates.

    Each rate comes as its lower and its upper bound. Met if recall is at least `least` by its
    lower bound and the false-positive rate at most `most` by its upper; contradicted if recall's
    upper bound or the other's lower excludes it. With bounds of Clopper and Pearson it takes 59
    normal images without a false alarm to show a rate of at most 5 %, and 29 hits to show a recall
    of at least 90 %: with fewer images it cannot be met.
    """
    if recall[0] >= least and false_positive_rate[1] <= most:
        return "met"
    excluded = recall[1] < least or false_positive_rate[0] > most
    return "contradicted" if excluded else "undecided"

"""How sure one can be: intervals and paired tests for AUROC, bounds for rates.

Everything about an AUROC follows from its win matrix: for each pair of an
anomalous and a normal image, 1 where the anomalous one scores higher and one
half for a tie. Its mean is the AUROC; several seeds' matrices are averaged, and
two models' subtracted.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

LEVEL = 0.95
RESAMPLES = 2000
FEW = 10
"""Images of a class below which drawing them anew says too little of how others would vary."""


class Interval(NamedTuple):
    """An estimate and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def win_matrix(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Which pairs are ordered rightly: (anomalous, normal).

    Scores are (N,), or (S, N) of several seeds, whose matrices are averaged.
    """
    rows = np.atleast_2d(scores)  # (S, N)
    anomalous, normal = rows[:, labels == 1], rows[:, labels == 0]
    gap = anomalous[:, :, None] - normal[:, None, :]  # (S, A, M)
    return ((np.sign(gap) + 1) / 2).mean(axis=0)  # (A, M)


def standard_error(wins: np.ndarray) -> float:
    """DeLong's standard error of the mean of a win matrix, or of a difference of two.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, Biometrics 1988.
    """
    anomalous, normal = wins.mean(axis=1), wins.mean(axis=0)  # (A,), (M,)
    variance = anomalous.var(ddof=1) / len(anomalous) + normal.var(ddof=1) / len(normal)
    return float(np.sqrt(variance))


def delong(wins: np.ndarray) -> Interval:
    """DeLong's interval, cut at 0 and 1; no numbers where it would have no width."""
    value = wins.mean()
    error = standard_error(wins) if min(wins.shape) > 1 else 0
    half = stats.norm.ppf((1 + LEVEL) / 2) * error if error > 0 else np.nan
    return Interval(
        float(value), float(np.maximum(value - half, 0)), float(np.minimum(value + half, 1))
    )


def auroc_interval(wins: np.ndarray) -> Interval:
    """The interval of an AUROC, from its win matrix: the study's one rule.

    `bootstrap`, which takes the scores as they are. Where it would say too much, `newcombe`:
    with fewer than `FEW` images of a class, and where every pair is ordered rightly, or every
    one wrongly, since images drawn anew from those are so, too.
    """
    value = wins.mean()
    if min(wins.shape) < FEW or value in (0, 1):
        return newcombe(float(value), *wins.shape)
    return bootstrap(wins)


def difference_interval(wins: np.ndarray, others: np.ndarray) -> Interval:
    """The interval of a difference of two AUROCs over the same images, by the same rule.

    Where `bootstrap` would say too much the two intervals are put together as if the
    AUROCs did not depend on each other, which is wider where they rise and fall together.

    References
    ----------
    Zou and Donner, "Construction of confidence limits about effect measures", Statistics in
    Medicine 2008.
    """
    difference = wins - others
    if min(wins.shape) >= FEW and difference.min() < difference.max():
        return bootstrap(difference)
    one, other = (newcombe(float(each.mean()), *each.shape) for each in (wins, others))
    value = one.value - other.value
    below = np.hypot(one.value - one.low, other.high - other.value)
    above = np.hypot(one.high - one.value, other.value - other.low)
    return Interval(value, float(max(value - below, -1)), float(min(value + above, 1)))


def newcombe(value: float, anomalous: int, normal: int) -> Interval:
    """Newcombe's interval of an AUROC, from its value and the numbers of images alone.

    Its ends are the AUROCs that lie just so far from the value as their own standard errors
    allow; so it has a width where the value is 0 or 1. The standard error is Hanley and
    McNeil's, of exponential scores, made alike for both classes.

    References
    ----------
    Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic. Part 2", Statistics in Medicine 2006, method 5.
    """
    z, pairs = stats.norm.ppf((1 + LEVEL) / 2), anomalous * normal
    others = (anomalous + normal) / 2 - 1

    def beyond(true: float) -> float:
        """How much farther the value lies from a true AUROC than it allows."""
        spread = 1 + others * ((1 - true) / (2 - true) + true / (1 + true))
        return (value - true) ** 2 - z**2 * true * (1 - true) * spread / pairs

    near = 1e-9  # of the value itself, where it allows any distance
    low = optimize.brentq(beyond, 0, value - near) if value > near else 0.0
    high = optimize.brentq(beyond, value + near, 1) if value < 1 - near else 1.0
    return Interval(value, float(low), float(high))


def bootstrap(wins: np.ndarray, seed: int = 0) -> Interval:
    """Percentile interval over images drawn anew, within each class; two at least of each."""

    def mean_of(rows: np.ndarray, columns: np.ndarray, axis: int) -> np.ndarray:
        drawn = (counts(rows, wins.shape[0]) @ wins) * counts(columns, wins.shape[1])  # (R, M)
        return drawn.sum(axis=-1) / wins.size

    ends = stats.bootstrap(
        [np.arange(size) for size in wins.shape],
        mean_of,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(wins.mean()), float(ends.low), float(ends.high))


def counts(drawn: np.ndarray, size: int) -> np.ndarray:
    """How often each of `size` things is among those drawn, (R, K) or (K,): (R, size)."""
    rows = np.atleast_2d(drawn)  # (R, K)
    cells = rows + size * np.arange(len(rows))[:, None]
    return np.bincount(cells.ravel(), minlength=size * len(rows)).reshape(-1, size)


def paired_p(wins: np.ndarray, others: np.ndarray) -> float:
    """Two-sided p value of DeLong's test that two models have the same AUROC.

    Both must have scored the same images. 1 where no pair tells them apart.
    """
    difference = wins - others
    error = standard_error(difference) if min(difference.shape) > 1 else 0
    if error == 0:
        return 1.0 if difference.mean() == 0 else 0.0
    return float(2 * stats.norm.sf(abs(difference.mean()) / error))


def upper_bound(count: int, total: int) -> float:
    """Clopper and Pearson's one-sided 95 % upper bound of a rate."""
    test = stats.binomtest(count, total, alternative="less")
    return float(test.proportion_ci(LEVEL, method="exact").high)


def lower_bound(count: int, total: int) -> float:
    """Clopper and Pearson's one-sided 95 % lower bound of a rate."""
    test = stats.binomtest(count, total, alternative="greater")
    return float(test.proportion_ci(LEVEL, method="exact").low)


def conformal_bound(held_out: int, alpha: float) -> float:
    """How high the rate of a conformal threshold may be for one set of held-out images.

    `alpha` holds on average over such sets. With n of them the threshold is
    their k-th smallest score, k = ⌈(1 − alpha)(n + 1)⌉, and the share of new
    images above it follows Beta(n + 1 − k, k).

    References
    ----------
    Vovk, "Conditional validity of inductive conformal predictors", ACML 2012.
    """
    place = int(np.ceil((1 - alpha) * (held_out + 1)))
    return float(stats.beta(held_out + 1 - place, place).ppf(LEVEL))

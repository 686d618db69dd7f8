"""How sure one can be: intervals and paired tests for AUROC, bounds for rates.

Everything about an AUROC follows from its win matrix: for each pair of an
anomalous and a normal image, 1 where the anomalous one scores higher and one
half for a tie. Its mean is the AUROC; several seeds' matrices are averaged, and
two models' subtracted.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
RESAMPLES = 2000


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
    """DeLong's interval, cut at 0 and 1. It has no width where every pair is right."""
    value, half = wins.mean(), stats.norm.ppf((1 + LEVEL) / 2) * standard_error(wins)
    return Interval(float(value), float(max(value - half, 0)), float(min(value + half, 1)))


def bootstrap(wins: np.ndarray, seed: int = 0) -> Interval:
    """Percentile interval over images drawn anew, within each class."""

    def mean_of(rows: np.ndarray, columns: np.ndarray, axis: int) -> np.ndarray:
        drawn = (_counts(rows, wins.shape[0]) @ wins) * _counts(columns, wins.shape[1])  # (R, M)
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


def _counts(drawn: np.ndarray, size: int) -> np.ndarray:
    """How often each of `size` things is among those drawn, (R, K) or (K,): (R, size)."""
    rows = np.atleast_2d(drawn)  # (R, K)
    cells = rows + size * np.arange(len(rows))[:, None]
    return np.bincount(cells.ravel(), minlength=size * len(rows)).reshape(-1, size)


def paired_p(wins: np.ndarray, others: np.ndarray) -> float:
    """Two-sided p value of DeLong's test that two arms have the same AUROC.

    Both must have judged the same images. 1 where no pair tells them apart.
    """
    difference = wins - others
    error = standard_error(difference)
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

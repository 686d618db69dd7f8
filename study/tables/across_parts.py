"""From results on each part to what holds across parts: means, and models compared."""

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.errors import UserError
from anomalylib.metrics.intervals import LEVEL, RESAMPLES, Interval, counts, win_matrix

Scored = tuple[np.ndarray, np.ndarray]
"""Labels (N,) and scores (S, N) of a part's test images, one row a seed."""
DIGITS = 12  # of an AUROC: what differs only beyond is rounding


def mean_over_parts(parts: Mapping[str, Scored], seed: int = 0) -> Interval:
    """Mean AUROC over parts and its 95 % interval, by a hierarchical bootstrap.

    Each of its draws takes as many parts as there are, with replacement; for each part taken,
    anew, seeds of that part; and normal and anomalous images of it, the same for all its seeds.
    The interval is of the mean over parts like these, trained and photographed anew.

    Its ends are quantiles of the draws (percentile). With few parts that differ by far more than
    images and seeds make them, they lie too near: with 7, 0.74 times as far apart as Student's,
    so that they cover the mean in about 88 % of cases, not 95. With parts that hardly differ
    they lie too far, since images count twice: in each part, and in how the parts differ. A part
    with an AUROC of 0 or 1 adds nothing by its images; where no draw differs there are no ends.

    Parameters
    ----------
    parts : mapping
        From a part to its labels (N,) and scores (S, N). Each weighs the same.
    seed : int
        Of the bootstrap.

    References
    ----------
    Davison and Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8; Field and
    Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical Society B 2007.
    """
    return _over_parts([[_wins(*part, name)] for name, part in parts.items()], seed)


def difference_over_parts(
    first: Mapping[str, Scored], second: Mapping[str, Scored], seed: int = 0
) -> Interval:
    """Mean difference, first less second, of two models' AUROCs over the same parts.

    As `mean_over_parts`; in each draw the two share parts and images, but not seeds, which mean
    something else to each.
    """
    if first.keys() != second.keys():
        raise UserError("the two models have not scored the same parts")
    for name, (labels, _) in first.items():
        if not np.array_equal(labels, second[name][0]):
            raise UserError(f"{name}: the two models have not scored the same images")
    names = list(first)
    both = [[_wins(*model[name], name) for model in (first, second)] for name in names]
    return _over_parts(both, seed)


def _wins(labels: np.ndarray, scores: np.ndarray, name: str) -> np.ndarray:
    """The win matrix of each seed: (S, A, M)."""
    if not {0, 1} == set(np.unique(labels)):
        raise UserError(f"{name}: an AUROC needs normal and anomalous images")
    return np.stack([win_matrix(labels, row) for row in np.atleast_2d(scores)])


def _over_parts(parts: list[list[np.ndarray]], seed: int) -> Interval:
    """The interval from each part's win matrices (S, A, M), of one model or of two to subtract."""
    if not parts:
        raise UserError("a mean over parts needs a part")
    random = np.random.default_rng(seed)
    taken = random.integers(len(parts), size=(RESAMPLES, len(parts)))  # (R, P)
    found = np.empty(taken.shape)  # (R, P)
    for place, models in enumerate(parts):
        here = taken == place
        found[here] = _redrawn(models, int(here.sum()), random)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(found.mean(axis=1), [tail, 1 - tail])
    if high - low < 10**-DIGITS:
        low = high = np.nan
    value = np.mean([_less([wins.mean() for wins in models]) for models in parts])
    return Interval(float(value), float(low), float(high))


def _redrawn(models: list[np.ndarray], times: int, random: np.random.Generator) -> np.ndarray:
    """A part's AUROC, or difference of two, each time over seeds and images drawn anew: (T,)."""

    def drawn(size: int) -> np.ndarray:
        return counts(random.integers(size, size=(times, size)), size)  # (T, size)

    _, anomalous, normal = models[0].shape
    rows, columns = drawn(anomalous), drawn(normal)  # (T, A), (T, M)
    found = []
    for wins in models:
        of_seeds = ((rows @ wins) * columns).sum(axis=-1) / (anomalous * normal)  # (S, T)
        found.append((of_seeds * drawn(len(wins)).T).sum(axis=0) / len(wins))  # (T,)
    return _less(found)


def _less(found: list) -> np.ndarray | float:
    """The first, less the second if there is one."""
    return found[0] if len(found) == 1 else found[0] - found[1]


class ModelComparison(NamedTuple):
    """Models compared over parts; see `compare_models`."""

    mean_ranks: pd.Series
    friedman_p: float
    iman_davenport_p: float
    pairs: pd.DataFrame
    smallest_p: float
    smallest_p_holm: float


def compare_models(auroc: pd.DataFrame) -> ModelComparison:
    """Compare models over parts by ranks, as Demšar recommends.

    ``mean_ranks`` has 1 for the best, equals sharing their mean rank. ``friedman_p`` (χ²) and
    ``iman_davenport_p`` (F, less cautious) test that all models rank alike; there are none for
    two models. ``pairs`` has a row for each two models: parts won, lost and tied by the first,
    the median difference, first less second, the two-sided p of `signed_rank_p` and this p after
    Holm's correction for the number of pairs.

    ``smallest_p`` is the least that `signed_rank_p` can be with so many parts, 2 / 2ⁿ, and
    ``smallest_p_holm`` the least after the correction: with 7 parts 0.0156, and for the 10 pairs
    of five models 0.156, whatever comes out.

    Parameters
    ----------
    auroc : DataFrame
        One row a part, one column a model.

    References
    ----------
    Demšar, "Statistical comparisons of classifiers over multiple data sets", Journal of Machine
    Learning Research 2006.
    """
    auroc = auroc.astype(float).round(DIGITS)
    if auroc.isna().any(axis=None) or min(auroc.shape) < 2:
        raise UserError("a comparison needs two models on two parts, and every AUROC")
    rows = []
    for first, second in combinations(auroc.columns, 2):
        difference = (auroc[first] - auroc[second]).round(DIGITS).to_numpy()  # (P,)
        row = {"first": first, "second": second, "wins": int((difference > 0).sum())}
        row |= {"losses": int((difference < 0).sum()), "ties": int((difference == 0).sum())}
        row |= {"median_difference": np.median(difference), "p": signed_rank_p(difference)}
        rows.append(row)
    pairs = pd.DataFrame(rows)
    pairs["p_holm"] = holm(pairs.p.to_numpy())
    smallest = min(2 / 2 ** len(auroc), 1.0)
    ranks = auroc.rank(axis=1, ascending=False).mean()
    least = min(len(pairs) * smallest, 1.0)
    return ModelComparison(ranks, *_friedman(auroc.to_numpy()), pairs, smallest, least)


def _friedman(auroc: np.ndarray) -> tuple[float, float]:
    """P values of Friedman's test and of Iman and Davenport's from a matrix (P, models)."""
    parts, models = auroc.shape
    if models < 3:
        return np.nan, np.nan
    if (auroc == auroc[:, :1]).all():
        return 1.0, 1.0
    found = stats.friedmanchisquare(*auroc.T)
    room = parts * (models - 1) - found.statistic  # 0 where all parts rank the models alike
    ratio = (parts - 1) * found.statistic / room if room > 0 else np.inf
    return float(found.pvalue), float(stats.f.sf(ratio, models - 1, (models - 1) * (parts - 1)))


def signed_rank_p(differences: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, exact with ties and zeros, too.

    Ties share their mean rank, and ranks of zeros go half to either side; so they cancel. All
    signs of the others are counted out, which SciPy does with ties only for few differences.
    """
    ranks = (2 * stats.rankdata(np.abs(differences))).astype(int)  # twice: whole numbers
    ways = np.ones(1)  # to win a sum of ranks, by that sum
    for rank in ranks[differences != 0]:
        ways = np.convolve(ways, np.bincount([0, rank]))
    won = ranks[differences > 0].sum()
    tail = min(ways[: won + 1].sum(), ways[won:].sum()) / ways.sum()
    return float(min(2 * tail, 1.0))


def holm(p: np.ndarray) -> np.ndarray:
    """P values corrected for their number (Holm, Scandinavian Journal of Statistics 1979)."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))  # (m,), rising
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(steps, 1)
    return corrected

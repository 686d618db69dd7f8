"""How well scores separate images that are alike in a covariate, such as brightness."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from anomalylib.errors import UserError
from anomalylib.metrics.intervals import FEW, LEVEL, RESAMPLES, newcombe

LEAST_OVERLAP = 0.5
"""Share of anomalous images within the normal images' range below which nothing is said.

Of an image outside it only the straight line says how many normal images of its covariate it
scores above; the data alone allow any share from 0 to 1, and so leave the AUROC open by one less
the overlap (worst-case bounds: Manski, American Economic Review 1990). At one half that is as far
as from chance to perfection.
"""
TIE = 1e-9  # of the spread of the scores: residuals that differ by less are rounding
PAIRS = 250_000  # of images compared at a time, to fit into a processor's cache


class Adjusted(NamedTuple):
    """A covariate-adjusted AUROC and the ends of its 95 % interval: NaN if not identified.

    The overlap is the share of anomalous images within the normal images' range of the covariate.
    """

    auroc: float
    low: float
    high: float
    overlap: float


def adjusted_auroc(
    labels: np.ndarray, scores: np.ndarray, covariate: np.ndarray, seed: int = 0
) -> Adjusted:
    """Chance that an anomalous image scores above a normal one of the same covariate.

    The area under the covariate-adjusted ROC curve (AROC): the mean over anomalous images of
    F(score | covariate), F being the distribution of normal images' scores at that covariate. 20
    to 60 normal images are too few to compare within strata, so F is semiparametric: a straight
    line, fitted to the normal images by least squares, and their residuals from it, taken to be
    spread alike at every covariate. The estimate is then the AUROC of all images' residuals;
    ties count one half. Outside the normal images' range the line is continued.

    The interval is the bootstrap's, over images drawn anew within each class, with a new line in
    each draw. With fewer than `FEW` anomalous images, and at 0 and 1, it is `newcombe`, which
    takes the line as known. Not identified is a value with fewer than `FEW` normal images, with
    no variation of the covariate among them, or with an overlap below `LEAST_OVERLAP`.

    Parameters
    ----------
    labels : ndarray, shape (N,)
        0 for normal, 1 for anomalous.
    scores : ndarray, shape (N,) or (S, N)
        Higher is more anomalous. Of S seeds, each with a line of its own, the mean is taken.
    covariate : ndarray, shape (N,)
    seed : int
        Of the bootstrap.

    References
    ----------
    Janes and Pepe, "Adjusting for covariate effects on classification accuracy using the
    covariate-adjusted receiver operating characteristic curve", Biometrika 2009; but for ties as
    ``AROC.sp(est.cdf.h = "empirical")`` of the R package ROCnReg.
    """
    labels, rows, covariate = np.asarray(labels), np.atleast_2d(scores), np.asarray(covariate)
    if not (labels.ndim == 1 and rows.shape[1:] == labels.shape == covariate.shape):
        raise UserError("labels (N,), scores (N,) or (S, N) and covariate (N,) do not fit")
    if not np.isin(labels, (0, 1)).all():
        raise UserError("a label is neither 0 nor 1")
    if not (np.isfinite(rows).all() and np.isfinite(covariate).all()):
        raise UserError("a score or a covariate is not a finite number")
    anomalous, normal = rows[:, labels == 1], rows[:, labels == 0]  # (S, A), (S, M)
    of_anomalous, of_normal = covariate[labels == 1], covariate[labels == 0]  # (A,), (M,)
    sizes = len(of_anomalous), len(of_normal)
    if min(sizes) == 0:
        return Adjusted(np.nan, np.nan, np.nan, np.nan)
    within = (of_anomalous >= of_normal.min()) & (of_anomalous <= of_normal.max())  # (A,)
    overlap = float(within.mean())
    if sizes[1] < FEW or np.ptp(of_normal) == 0 or overlap < LEAST_OVERLAP:
        return Adjusted(np.nan, np.nan, np.nan, overlap)
    tie = TIE * np.ptp(rows)

    def estimate(drawn: np.ndarray, others: np.ndarray, axis: int = -1) -> np.ndarray:
        """The AUROC of anomalous and normal images drawn, (R, A) and (R, M): (R,)."""
        above, normal_above = _residuals(
            anomalous[:, drawn], of_anomalous[drawn], normal[:, others], of_normal[others]
        )
        gained = above[..., :, None] > normal_above[..., None, :] + tie  # (S, R, A, M)
        kept = above[..., :, None] >= normal_above[..., None, :] - tie  # (S, R, A, M), with ties
        wins = np.add(gained, kept, dtype=np.float32).mean(axis=(-2, -1), dtype=float)  # (S, R)
        return wins.mean(axis=0) / 2

    images = [np.arange(size) for size in sizes]
    value = float(estimate(*images))
    if sizes[0] < FEW or value in (0, 1):
        return Adjusted(*newcombe(value, *sizes), overlap)
    ends = stats.bootstrap(
        images,
        estimate,
        n_resamples=RESAMPLES,
        batch=max(1, PAIRS // (sizes[0] * sizes[1])),
        confidence_level=LEVEL,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Adjusted(value, float(ends.low), float(ends.high), overlap)


def _residuals(
    scores: np.ndarray, covariate: np.ndarray, normal: np.ndarray, of_normal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Heights of images and of normal images above the line through the normal ones."""
    height = normal.mean(axis=-1, keepdims=True)  # (..., 1)
    middle = of_normal.mean(axis=-1, keepdims=True)  # (..., 1)
    up, across = normal - height, of_normal - middle  # (..., M)
    varies = np.ptp(of_normal, axis=-1, keepdims=True) > 0  # else the line is level
    squares = np.where(varies, (across**2).sum(axis=-1, keepdims=True), np.inf)  # (..., 1)
    slope = (across * up).sum(axis=-1, keepdims=True) / squares  # (..., 1)
    return scores - height - slope * (covariate - middle), up - slope * across

"""From scores of normal images to a threshold: the original's rule, and others."""

import math

import numpy as np


class MeanPlusSigma:
    """Mean plus `sigma` standard deviations of nominal scores.

    The rule of the original study. It takes the scores to be normally
    distributed and those of the training images to be like those of new ones;
    neither need hold.

    Parameters
    ----------
    sigma : float
        Standard deviations above the mean.

    Attributes
    ----------
    threshold_ : float
        Scores above it are called anomalous.
    """

    def __init__(self, *, sigma: float = 3.0):
        self.sigma = sigma

    def fit(self, nominal_scores: np.ndarray) -> "MeanPlusSigma":
        """Learn the threshold from the scores of normal images, shape (N,)."""
        self.threshold_ = float(nominal_scores.mean() + self.sigma * nominal_scores.std())
        return self


class Quantile:
    """An empirical quantile of nominal scores, interpolated.

    Beyond ``1 - 1 / N`` it is little more than the largest score.

    Parameters
    ----------
    share : float
        Of the nominal scores that lie below.

    Attributes
    ----------
    threshold_ : float
        Scores above it are called anomalous.
    """

    def __init__(self, *, share: float = 0.99):
        self.share = share

    def fit(self, nominal_scores: np.ndarray) -> "Quantile":
        """Learn the threshold from the scores of normal images, shape (N,)."""
        self.threshold_ = float(np.quantile(nominal_scores, self.share))
        return self


class Conformal:
    """The threshold that new normal images exceed with a chance of at most `alpha`.

    It assumes only that the scores of new normal images and those it learns from
    are exchangeable, so it needs images that the model has not learned from.
    With fewer than ``1 / alpha - 1`` of them no finite threshold can promise it.

    Parameters
    ----------
    alpha : float
        Chance of a false alarm, over the draw of both.

    Attributes
    ----------
    threshold_ : float
        Scores above it are called anomalous; infinite where there are too few.

    References
    ----------
    Vovk, Gammerman, Shafer, "Algorithmic learning in a random world", 2005.
    """

    def __init__(self, *, alpha: float = 0.05):
        self.alpha = alpha

    def fit(self, nominal_scores: np.ndarray) -> "Conformal":
        """Learn the threshold from the scores of held-out normal images, shape (N,)."""
        count = len(nominal_scores)
        rank = math.ceil((count + 1) * (1 - self.alpha))
        ordered = np.sort(nominal_scores)
        self.threshold_ = float(ordered[rank - 1]) if rank <= count else math.inf
        return self

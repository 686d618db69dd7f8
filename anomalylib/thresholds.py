"""From scores to a decision: where to draw the line."""

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

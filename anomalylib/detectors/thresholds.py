"""From scores of normal images to a threshold: the report's rule, and others."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np


@dataclass
class Rule(ABC):
    """How ``threshold_``, above which a score is called anomalous, is learned."""

    def fit(self, normal_scores: np.ndarray) -> "Rule":
        """Learn the threshold from the scores of normal images, shape (N,)."""
        self.threshold_ = float(self._threshold(np.asarray(normal_scores)))
        return self

    @abstractmethod
    def _threshold(self, scores: np.ndarray) -> float: ...


@dataclass
class MeanPlusSigma(Rule):
    """Mean plus `sigma` standard deviations of the scores: the rule of the report.

    It takes the scores to be normally distributed and those of the training
    images to be like those of new ones; neither need hold.

    Parameters
    ----------
    sigma : float
        Standard deviations above the mean.
    """

    sigma: float = 3.0

    def _threshold(self, scores: np.ndarray) -> float:
        return scores.mean() + self.sigma * scores.std()

    def __str__(self) -> str:
        return f"mean + {self.sigma:g}σ of the normal scores"


@dataclass
class Quantile(Rule):
    """An empirical quantile of the scores, interpolated.

    Beyond ``1 - 1 / N`` it is little more than the largest score.

    Parameters
    ----------
    share : float
        Of the scores that lie below.
    """

    share: float = 0.99

    def _threshold(self, scores: np.ndarray) -> float:
        return np.quantile(scores, self.share)

    def __str__(self) -> str:
        return f"{self.share:.0%} quantile of the normal scores"


@dataclass
class Conformal(Rule):
    """The threshold that new normal images exceed with a chance of at most `alpha`.

    It assumes only that the scores of new normal images and those it learns from
    are exchangeable, so it needs images that the model has not learned from. With
    fewer than ``1 / alpha - 1`` of them the threshold is infinite.

    Parameters
    ----------
    alpha : float
        Chance of a false alarm, over the draw of both.

    References
    ----------
    Vovk, Gammerman, Shafer, "Algorithmic learning in a random world", 2005.
    """

    alpha: float = 0.05

    def _threshold(self, scores: np.ndarray) -> float:
        rank = math.ceil((len(scores) + 1) * (1 - self.alpha))
        return np.sort(scores)[rank - 1] if rank <= len(scores) else math.inf

    def __str__(self) -> str:
        return f"conformal, at most {self.alpha:.0%} false alarms"


RULES = {kind.__name__: kind for kind in (MeanPlusSigma, Quantile, Conformal)}
"""The rules by name."""

"""From scores of normal images to a threshold: the report's rule, and others."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomalylib.errors import UserError


@dataclass
class Rule(ABC):
    """How ``threshold_``, above which a score is called anomalous, is learned."""

    def fit(self, normal_scores: Sequence[float]) -> "Rule":
        """Learn the threshold from the scores of normal images, shape (N,)."""
        scores = np.asarray(normal_scores)
        if not len(scores) and not isinstance(self, Given):
            raise UserError(f"no scores of normal images: {self} needs some")
        self.threshold_, self.count_ = float(self._threshold(scores)), len(scores)
        return self

    def finite(self, normal_scores: Sequence[float]) -> "Rule":
        """`fit`, or a `UserError` where no score could be held against the threshold."""
        with np.errstate(invalid="ignore"):
            self.fit(normal_scores)
        if not math.isfinite(self.threshold_):
            limit = f"{self}, from {self.count_} scores, sets a threshold of {self.threshold_}"
            raise UserError(f"{limit}: give it scores that are finite, and more of them")
        return self

    @property
    def origin(self) -> str:
        """The rule, and of how many images it has learned."""
        return f"{self}, from {self.count_} images" if self.count_ else str(self)

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

    def __post_init__(self) -> None:
        _check_share("share", self.share)

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

    def __post_init__(self) -> None:
        _check_share("alpha", self.alpha)

    def _threshold(self, scores: np.ndarray) -> float:
        rank = math.ceil((len(scores) + 1) * (1 - self.alpha))
        return np.sort(scores)[rank - 1] if rank <= len(scores) else math.inf

    def __str__(self) -> str:
        return f"conformal, at most {self.alpha:.0%} false alarms"


@dataclass
class Given(Rule):
    """A threshold that somebody has chosen.

    Parameters
    ----------
    threshold : float
        Scores above it are called anomalous.
    """

    threshold: float

    def _threshold(self, scores: np.ndarray) -> float:
        return self.threshold

    def __str__(self) -> str:
        return "given"


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UserError(f"{name}={value} is no share: give a number from 0 to 1")


RULES = {kind.__name__: kind for kind in (MeanPlusSigma, Quantile, Conformal, Given)}
"""The rules by name."""

"""How well scores separate normal from anomalous images."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)


class Confusion(NamedTuple):
    """Images by truth and decision at a threshold."""

    true_normal: int
    false_alarm: int
    miss: int
    hit: int

    @property
    def normal(self) -> int:
        """How many images are normal."""
        return self.true_normal + self.false_alarm

    @property
    def anomalous(self) -> int:
        """How many images are anomalous."""
        return self.miss + self.hit

    @property
    def false_positive_rate(self) -> float:
        """False alarms among the normal images."""
        return self.false_alarm / self.normal

    @property
    def recall(self) -> float:
        """Hits among the anomalous images."""
        return self.hit / self.anomalous


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Chance that an anomalous image scores above a normal one: the area under the ROC curve.

    Ties count one half. Not a number where the images are all of one kind.

    Parameters
    ----------
    labels : ndarray, shape (N,)
        0 for normal, 1 for anomalous.
    scores : ndarray, shape (N,)
        Higher is more anomalous: the field's sign, not scikit-learn's.
    """
    labels = np.asarray(labels)
    if labels.min() == labels.max():
        return float("nan")
    return float(roc_auc_score(labels, scores))


def roc(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False-positive and true-positive rates over all thresholds."""
    false_positive, true_positive, _ = roc_curve(labels, scores)
    return false_positive, true_positive


def confusion(labels: np.ndarray, scores: np.ndarray, threshold: float) -> Confusion:
    """Count the decisions that ``score > threshold`` means anomalous gives."""
    table = confusion_matrix(labels, scores > threshold, labels=[0, 1])
    return Confusion(*table.ravel().tolist())


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Average precision, the step-wise area under the precision-recall curve."""
    return float(average_precision_score(labels, scores))


def f1_max(labels: np.ndarray, scores: np.ndarray) -> float:
    """The best F1 over all thresholds: chosen with the labels, so an upper bound."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())

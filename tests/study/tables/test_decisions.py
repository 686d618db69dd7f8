import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from study.tables import decisions
from tests.study.drawn import LABELS


def test_recall_by_alarms_is_the_roc_curve():
    random = np.random.default_rng(1)
    scores = random.normal(size=14) + LABELS
    recall = decisions.recall_by_alarms(LABELS, scores)
    false, true, _ = roc_curve(LABELS, scores, drop_intermediate=False)
    for count, found in enumerate(recall):
        assert found == true[np.isclose(false, count / 6)].max()
    steps = (recall[:-1] / 6).sum()  # the area below steps after each false alarm
    assert steps == pytest.approx(roc_auc_score(LABELS, scores))

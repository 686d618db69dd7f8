import numpy as np
import pytest
from scipy import stats

from study.figures import build as plots
from study.figures.normal_only import false_alarm_rates
from study.tables.results import Result, show, tabulate

pytestmark = pytest.mark.usefixtures("no_open_figures")


@pytest.fixture
def results():
    def one(arm, scores):
        return Result(
            category="bracket",
            arm=arm,
            dataset="own",
            seed=0,
            synthetic=False,
            settings={"sigma": 3.0},
            backbone=None,
            fingerprint="x",
            names=[f"{i}.png" for i in range(len(scores))],
            defect_types=["good"] * len(scores),
            labels=[0] * len(scores),
            scores=scores,
            mean_grey=[100.0] * len(scores),
            nominal_scores=[0.5, 0.6],
            threshold=1.0,
            seconds={},
            versions={},
            machine="",
            date="",
        )

    return [one("combined", [0.4, 0.6, 1.2, 0.9, 0.8]), one("resnet", [0.1, 0.2, 0.3, 0.4, 0.5])]


def test_rates_and_bounds_against_their_definitions():
    scores = np.array([0.1, 0.4, 0.4, 0.9])
    share, bound = false_alarm_rates(scores, np.array([0.0, 0.4, 1.0]))
    assert share.tolist() == [1.0, 0.25, 0.0]
    # Clopper and Pearson: the rate at which so few would be seen one time in twenty.
    assert bound[0] == 1
    assert stats.binom.cdf(1, 4, bound[1]) == pytest.approx(0.05)
    assert bound[2] == pytest.approx(1 - 0.05 ** (1 / 4))


def test_a_result_says_what_is_known_and_what_is_not(results):
    said = str(results[0])
    assert said.startswith("1 of 5 held-out normal images above the threshold")
    assert "no AUROC" in said
    table = tabulate(results)
    assert table["AUROC"].tolist() == table["hits"].tolist() == ["–", "–"]
    assert table["false alarms"].tolist() == ["1 of 5", "0 of 5"]
    assert table["at most"].iloc[1] == f"{1 - 0.05 ** (1 / 5):.0%}"
    assert "mean grey" not in table["arm"].tolist()
    assert "cannot be known" in show(results).data


def test_the_roc_gives_way_to_false_alarms(results):
    (axes,) = plots.roc(results).axes
    assert axes.get_ylabel() == "false alarms"
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [float(np.ravel(line.get_ydata())[0]) for line in dots] == [0.2, 0.0]


def test_every_other_figure_is_drawn_too(results):
    (axes,) = plots.histogram(results[0]).axes
    said = " ".join(text.get_text() for text in axes.texts)
    assert "false alarms 1 of 5" in said and "recall" not in said and "anomalous" not in said
    (axes,) = plots.ablation_chart(results).axes
    assert "1/5" in [text.get_text() for text in axes.texts]
    assert plots.most_telling(results[0]) == [2, 3, 4, 1]

import numpy as np
import pandas as pd
import pytest

from anomalylib.metrics import intervals
from study.figures import learning_curve as curve_figures


@pytest.fixture
def table(learning_curve_table):
    return learning_curve_table


def lines(axes, marker):
    return [line for line in axes.lines if line.get_marker() == marker]


def test_every_seed_is_a_dot_and_every_mean_on_a_line(table):
    auroc, alarms, threshold = (figure.axes[0] for figure in curve_figures.curve(table))
    for axes, column in ((auroc, table.auroc), (threshold, None)):
        dots, means = lines(axes, "."), lines(axes, "o")
        assert [len(line.get_xdata()) for line in dots] == [6, 6]
        assert [len(line.get_xdata()) for line in means] == [3, 3]
        if column is not None:
            assert dots[0].get_ydata().tolist() == column[:6].tolist()
            assert means[0].get_ydata() == pytest.approx([0.6, 0.85, 0.9])
    assert lines(threshold, "o")[0].get_ydata()[-1] == pytest.approx(1)
    bounds = [line.get_ydata()[0] for line in lines(alarms, "_")]
    assert np.nanmax(bounds) == intervals.upper_bound(1, 20)
    assert [tick.get_text() for tick in threshold.get_xticklabels()] == ["10", "20", "all\n40"]


def test_without_anomalous_images_the_auroc_has_no_panel(table):
    normal = table.assign(auroc=np.nan, n_anomalous=0, hits=0)
    assert len(curve_figures.curve(normal)) == 2


def test_two_trainings_of_one_model_are_filled_and_hollow_beside_each_other(table):
    usual = table[table.model == "combined"]
    both = pd.concat([usual, usual.assign(category="metal_nut")])
    equal = both[both.images < 40].assign(auroc=0.95, unlearned_alarms=6)
    figure = curve_figures.equal_training(both, equal)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["screw", "metal nut"]
    for axes in figure.axes[:2]:
        filled, hollow = lines(axes, "o")
        assert filled.get_ydata() == pytest.approx([0.6, 0.85, 0.9])
        assert hollow.get_ydata() == pytest.approx([0.95, 0.95])
        assert hollow.get_markerfacecolor() == "white" and hollow.get_linestyle() == "--"
    alarms = lines(figure.axes[2], "o")
    assert alarms[1].get_ydata() == pytest.approx([6 / 30, 6 / 20])
    assert np.isnan(alarms[0].get_ydata()[-1])  # with all images none are left

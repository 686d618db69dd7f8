import numpy as np
import pandas as pd
import pytest

from anomalylib.metrics import intervals
from study.figures import learning_curve as curve_figures

pytestmark = pytest.mark.usefixtures("no_open_figures")
AUROCS = {10: (0.5, 0.7), 20: (0.8, 0.9), 40: (0.9, 0.9)}


@pytest.fixture
def table():
    """Two arms, three sizes and two seeds of a category with 40 training images."""
    rows = []
    for arm in ("combined", "patchcore"):
        for images, aurocs in AUROCS.items():
            for seed, auroc in enumerate(aurocs):
                own = {"category": "screw", "arm": arm, "backbone": "x", "seed": seed}
                own |= {"images": images, "train_images": 40, "auroc": auroc}
                own |= {"threshold": 100 / images + seed, "n_unlearned": 40 - images}
                own |= {"unlearned_alarms": min(seed, 40 - images), "n_normal": 8}
                own |= {"false_alarms": seed, "n_anomalous": 4, "hits": 3}
                rows.append(own)
    return pd.DataFrame(rows)


def lines(axes, marker):
    return [line for line in axes.lines if line.get_marker() == marker]


def test_a_summary_has_means_spreads_and_bounds(table):
    found = curve_figures.summarise(table).set_index(["arm", "images"])
    row = found.loc[("combined", 10)]
    assert (row.auroc_mean, row.auroc_low, row.n_seeds) == (pytest.approx(0.6), 0.5, 2)
    assert row.auroc_sd == pytest.approx(0.2 / np.sqrt(2))
    assert row.spread == pytest.approx(np.std([10, 11], ddof=1) / 10.5)
    assert row.swing == pytest.approx(11 / 10)
    assert row.ratio == pytest.approx(10.5 / 3)
    assert row.unlearned_rate == pytest.approx(0.5 / 30)
    assert row.unlearned_bound == intervals.upper_bound(1, 30)
    assert row.test_rate == pytest.approx(0.5 / 8) and row.recall == 0.75
    whole = found.loc[("combined", 40)]
    assert np.isnan(whole.unlearned_rate) and np.isnan(whole.unlearned_bound)
    assert whole.ratio == 1


def test_enough_is_where_the_curve_stays_near_its_end(table):
    summary = curve_figures.summarise(table)
    assert curve_figures.enough(summary, 0.06).images.tolist() == [20, 20]
    assert curve_figures.enough(summary, 0.01).images.tolist() == [40, 40]
    dipping = summary.assign(auroc_mean=[0.9, 0.5, 0.9] * 2)
    assert curve_figures.enough(dipping, 0.01).images.tolist() == [40, 40]


def test_every_seed_is_a_dot_and_every_mean_on_a_line(table):
    auroc, alarms, threshold = curve_figures.curve(table).axes
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
    assert [tick.get_text() for tick in threshold.get_xticklabels()] == ["10", "20", "all 40"]


def test_without_anomalous_images_the_auroc_has_no_panel_and_no_number(table):
    normal = table.assign(auroc=np.nan, n_anomalous=0, hits=0)
    assert len(curve_figures.curve(normal).axes) == 2
    shown = curve_figures.overview(normal)
    assert set(shown.AUROC) == set(shown.recall) == {"–"}
    assert shown["false alarms, not learned"][0] == "1.7%\u00a0[≤\u00a015%]"
    assert shown["false alarms, not learned"][2] == "–"


def test_two_trainings_of_one_arm_are_filled_and_hollow_beside_each_other(table):
    usual = table[table.arm == "combined"]
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

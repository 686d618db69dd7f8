import numpy as np
import pytest

from anomalylib.metrics import intervals
from study.tables.learning_curve import enough, overview, summarise


@pytest.fixture
def table(learning_curve_table):
    return learning_curve_table


def test_a_summary_has_means_spreads_and_bounds(table):
    found = summarise(table).set_index(["model", "images"])
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
    summary = summarise(table)
    assert enough(summary, 0.06).images.tolist() == [20, 20]
    assert enough(summary, 0.01).images.tolist() == [40, 40]
    dipping = summary.assign(auroc_mean=[0.9, 0.5, 0.9] * 2)
    assert enough(dipping, 0.01).images.tolist() == [40, 40]


def test_what_cannot_be_counted_is_a_dash(table):
    normal = table.assign(auroc=np.nan, n_anomalous=0, hits=0)
    shown = overview(normal)
    assert set(shown.AUROC) == set(shown.recall) == {"–"}
    assert shown["false alarms, not learned"][0] == "1.7%\u00a0[≤\u00a015%]"
    assert shown["false alarms, not learned"][2] == "–"

import pandas as pd
import pytest

from study.figures import thresholds as signatures
from study.figures.style import COLOURS, THRESHOLD
from study.names import MAIN, MODELS, label
from study.tables import reference as tables
from tests.study.drawn import LABELS


def test_each_rule_has_a_histogram_with_its_red_line(made):
    scores, nominal, _, decided = made
    figures = signatures.rules(
        scores, nominal, decided, "metal_nut", model="combined", backbone=MAIN
    )
    panels = [figure.axes[0] for figure in figures]
    assert len(panels) == len(tables.RULES)
    for axes, rule in zip(panels, tables.RULES, strict=True):
        (line,) = [line for line in axes.lines if line.get_color() == THRESHOLD]
        which = {"variant": rule.variant, "images": rule.images, "model": "combined"}
        own = tables.select(nominal, **which).score.to_numpy()
        assert line.get_xdata()[0] == pytest.approx(rule.rule.fit(own).threshold_)
        assert axes.get_title(loc="left") == rule.name
    assert len({axes.get_xscale() for axes in panels}) == 1
    assert len({axes.get_xlim() for axes in panels}) == 1


def test_panels_that_share_an_axis_share_their_bins(made):
    scores, nominal, _, decided = made
    plain = (scores.variant == "plain") & (scores.model == "combined")
    far = scores.assign(score_top10=scores.score_top10.where(~plain, scores.score_top10 * 50))
    figures = signatures.rules(far, nominal, decided, "metal_nut", model="combined", backbone=MAIN)
    widths = [
        sorted(
            {round(patch.get_width(), 6) for patch in axes.patches if hasattr(patch, "get_width")}
        )
        for axes in (figure.axes[0] for figure in figures)
    ]
    assert all(own == widths[0] for own in widths)


def test_every_model_has_its_histogram_with_the_reports_threshold(made):
    scores, nominal, _, decided = made
    figures = signatures.histograms(scores, nominal, decided, "metal_nut", MAIN)
    panels = [figure.axes[0] for figure in figures]
    assert [axes.get_title(loc="left") for axes in panels] == list(map(label, MODELS))
    for axes, model in zip(panels, MODELS, strict=True):
        (line,) = [line for line in axes.lines if line.get_color() == THRESHOLD]
        own = tables.select(nominal, variant="plain", model=model).score
        assert line.get_xdata()[0] == pytest.approx(own.mean() + 3 * own.std(ddof=0))
        assert sum(abs(patch.get_height()) for patch in axes.patches) == len(LABELS)


def test_the_roc_has_each_seed_their_mean_and_the_threshold(made):
    scores, _, summary, decided = made
    again = scores.assign(seed=1)
    (axes,) = signatures.roc(pd.concat([scores, again]), summary, decided, "metal_nut", MAIN).axes
    own = [line for line in axes.lines if line.get_color() == COLOURS["combined"]]
    assert [len(line.get_xdata()) for line in own] == [7, 7, 7, 1]
    row = tables.select(decided, model="combined", threshold_rule=tables.RULES[0].name).iloc[0]
    assert (own[3].get_xdata()[0], own[3].get_ydata()[0]) == (row.fpr, row.recall)

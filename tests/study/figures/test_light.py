import numpy as np
import pandas as pd
import pytest

from study.figures import light as charts
from study.figures.style import COLOURS
from study.names import LARGER


def survived(**changes):
    row = {"category": "nut", "model": "combined", "variant": "plain", "plain": 0.9}
    return row | {"normalised": 0.8, "grey": 0.7, "contrast": 0.6} | changes


def marks(axes, shape):
    lines = [line for line in axes.lines if line.get_marker() == shape]
    return [line.get_xdata()[0] for line in lines]


def test_every_way_to_take_the_light_away_has_a_mark():
    rows = [survived(), survived(model="patchcore", grey=np.nan), survived(category="screw")]
    rows.append(survived(model="patchcore", variant=LARGER, plain=0.1))
    (axes,) = charts.survival(pd.DataFrame(rows)).axes
    for shape, value in (("o", 0.9), ("D", 0.8), ("v", 0.6)):
        assert marks(axes, shape) == pytest.approx([value] * 3)
    assert marks(axes, "^") == pytest.approx([0.7, np.nan, 0.7], nan_ok=True)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["nut", "screw"]
    colours = {line.get_color() for line in axes.lines if line.get_marker() == "o"}
    assert colours == {COLOURS["combined"], COLOURS["patchcore"]}


def test_a_slope_leads_from_the_auroc_as_measured_to_that_at_one_grey():
    rows = [
        {"category": part, "model": model, "before": 0.8, "after": after}
        for part in ("nut", "bolt", "grid", "screw", "pill")
        for model, after in (("combined", 0.7), ("mean grey", 0.5))
    ]
    axes = [each for each in charts.slopes(pd.DataFrame(rows)).axes if each.get_title(loc="left")]
    assert [each.get_title(loc="left") for each in axes] == ["nut", "bolt", "grid", "screw", "pill"]
    for each in axes:
        ends = [list(line.get_ydata()) for line in each.lines if line.get_marker() == "o"]
        assert ends == [[0.8, 0.7], [0.8, 0.5]]


def test_every_image_has_a_dot_in_the_row_of_its_group():
    columns = {"category": "nut", "mean_grey": [10.0, 20, 30], "split": ["train", "test", "test"]}
    table = pd.DataFrame(columns | {"label": [0, 0, 1]})
    (axes,) = charts.shift(table).axes
    dots = [line for line in axes.lines if line.get_marker() == "."]
    assert [line.get_xdata().tolist() for line in dots] == [[10], [20], [30]]
    heights = [line.get_ydata()[0] for line in dots]
    assert heights == sorted(heights)

import numpy as np
import pandas as pd
import pytest

from study.figures import reference as charts
from study.figures.style import COLOURS
from study.names import LARGER, MAIN, MODELS, label, plain
from tests.study.drawn import reference_tables


@pytest.fixture(scope="module")
def summary():
    return reference_tables(("metal_nut", "screw"))[2]


def marks(axes, shape="o"):
    """Where the marks of a shape lie, with their colour: (x, y, colour)."""
    lines = [line for line in axes.lines if line.get_marker() == shape]
    return [(*(each[0] for each in line.get_data()), line.get_color()) for line in lines]


def test_every_part_has_a_band_with_every_model_in_its_colour(summary):
    (axes,) = charts.parts(summary, MAIN).axes
    rows = charts.shown_rows(summary, MAIN)
    names = list(rows.category.unique())
    assert [text.get_text() for text in axes.get_yticklabels()] == list(map(plain, names))
    assert len(marks(axes)) == 2 * (len(MODELS) + 2)  # larger images, and brightness
    for row in rows.itertuples():
        there = [(x, y) for x, y, colour in marks(axes) if colour == COLOURS[row.model]]
        near = [x for x, y in there if abs(y - names.index(row.category)) < 0.5]
        assert any(x == pytest.approx(row.auroc_mean) for x in near)
    assert {text.get_text() for text in axes.texts} == {"claimed 0.33", "claimed 0.99"}


def test_parts_come_by_the_auroc_of_combined(summary):
    rows = charts.shown_rows(summary, MAIN)
    combined = rows[(rows.model == "combined") & (rows.variant == "plain")]
    assert combined.auroc_mean.is_monotonic_decreasing
    assert set(rows.variant) == {"plain", LARGER}


def test_differences_have_a_panel_a_pair_a_row_a_part_and_a_mark_a_backbone():
    rows = [
        {"category": part, "first": first, "second": second, "backbone": name}
        | {"difference": 0.1 * at, "low": 0.0, "high": 0.5}
        for at, (first, second) in enumerate([("resnet", "autoencoder"), ("combined", "resnet")])
        for part in ("nut", "bolt")
        for name in ("one", "two")
    ]
    first, second = (figure.axes[0] for figure in charts.differences(pd.DataFrame(rows)))
    assert [panel.get_title(loc="left") for panel in (first, second)] == [
        "ResNet features less autoencoder",
        "ResNet + FeatCAE less ResNet features",
    ]
    assert [text.get_text() for text in second.get_yticklabels()] == ["nut", "bolt"]
    for shape in "os":
        assert [x for x, *_ in marks(second, shape)] == pytest.approx([0.1, 0.1])
    assert {colour for *_, colour in marks(second)} == {COLOURS["combined"]}


def test_each_layer_has_a_mark_of_its_own_in_the_colour_of_the_model(summary):
    (axes,) = charts.layers(summary, MAIN).axes
    for shape, variant in (("v", "layer2"), ("^", "layer3"), ("o", "plain")):
        rows = summary[(summary.variant == variant) & summary.model.isin(["combined", "patchcore"])]
        drawn = {(round(x, 9), colour) for x, _, colour in marks(axes, shape)}
        rows = rows[rows.backbone == MAIN]
        expected = {(round(row.auroc_mean, 9), COLOURS[row.model]) for row in rows.itertuples()}
        assert drawn == expected and len(expected) == 4


def test_the_matrix_has_a_row_a_part_with_its_images_and_a_column_a_model(summary):
    (axes,) = charts.matrix(summary, MAIN).axes
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == ["metal nut (6 + 8)", "screw (6 + 8)"]
    numbers = [text.get_text() for text in axes.texts]
    own = summary[(summary.model == "combined") & (summary.variant == "plain")]
    assert {f"{value:.3f}" for value in own.auroc_mean} <= set(numbers)
    assert len(numbers) == 2 * (len(MODELS) + 2)


def test_a_mean_has_its_interval_and_a_stroke_a_part(summary):
    rows = [{"model": "combined", "variant": "plain", "value": 0.8, "low": 0.6, "high": 0.9}]
    (axes,) = charts.means(summary, pd.DataFrame(rows)).axes
    (strokes,) = [line for line in axes.lines if line.get_marker() == "|"]
    own = summary[(summary.model == "combined") & (summary.variant == "plain")]
    assert list(strokes.get_xdata()) == own.auroc_mean.tolist()
    assert axes.collections[0].get_segments()[0].tolist() == [[0.6, 0], [0.9, 0]]
    assert [text.get_text() for text in axes.get_yticklabels()] == [label("combined")]


def test_published_methods_are_grey_and_ours_in_colour():
    rows = [{"method": "FRE (linear)", "metal_nut": 0.9, "screw": 0.8, "source": "somewhere"}]
    rows += [{"method": "FRE (linear)", "metal_nut": 1.0, "screw": 0.7, "source": "somewhere"}]
    rows += [
        {"method": model, "metal_nut": 0.9, "screw": 0.6, "source": "this study"}
        for model in MODELS
    ]
    rows += [{"method": "unknown", "metal_nut": np.nan, "screw": 0.5, "source": "somewhere"}]
    (axes,) = charts.published(pd.DataFrame(rows)).axes
    grey, *ours = [line for line in axes.lines if line.get_marker() in "oD"]
    assert grey.get_xydata().tolist() == [[0.9, 0.8]]  # once, with its best on screw
    assert [line.get_color() for line in ours] == [COLOURS[model] for model in MODELS]
    assert "FRE (linear)" in [text.get_text() for text in axes.texts]

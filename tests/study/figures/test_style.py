import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from study.figures import style as look
from study.figures.histogram import histogram
from study.names import CONTROL, MEASURED, label


@pytest.fixture
def axes():
    _, (axes,) = look.stack(1, 2)
    yield axes
    plt.close("all")


def contrast_with_white(colour):
    """Ratio of luminances as the web's accessibility rules define it."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 1.05 / (np.dot(parts, (0.2126, 0.7152, 0.0722)) + 0.05)


def test_every_model_has_a_colour_of_its_own():
    assert set(look.COLOURS) == {*MEASURED, CONTROL}
    assert len(set(look.COLOURS.values())) == len(look.COLOURS)


@pytest.mark.parametrize("name", [*MEASURED, CONTROL, "contrast"])
def test_text_in_an_models_colour_is_dark_enough_to_read(name):
    assert contrast_with_white(look.ink(name)) >= 4.5


def test_colours_stay_apart_for_the_colour_blind():
    """Distances after the loss of the red or green cones (Viénot, Brettel, Mollon 1999)."""
    to_lms = np.array([[17.88, 43.52, 4.12], [3.46, 27.16, 3.87], [0.03, 0.18, 1.47]])
    protan = np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]])
    deutan = np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]])
    colours = np.array([to_rgb(look.COLOURS[model]) for model in MEASURED]) ** 2.2
    for blind in (protan, deutan):
        seen = colours @ to_lms.T @ blind.T @ np.linalg.inv(to_lms).T
        seen = np.clip(seen, 0, 1) ** (1 / 2.2)
        gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
        assert min(gaps) > 0.15


def heights(axes, colour):
    return sum(p.get_height() for p in axes.patches if to_hex(p.get_facecolor()) == colour.lower())


def test_anomalous_images_stand_and_normal_ones_hang(axes):
    scores, labels = np.array([0.1, 0.2, 0.3, 0.8, 0.9]), np.array([0, 0, 1, 1, 1])
    histogram(axes, "combined", scores, labels, 0.5, "note")
    assert heights(axes, look.COLOURS["combined"]) == 3
    assert heights(axes, look.NORMAL) == -2
    (line,) = [line for line in axes.lines if line.get_color() == look.THRESHOLD]
    assert list(line.get_xdata()) == [0.5] * 2
    said = [text.get_text().strip() for text in axes.texts]
    assert said == ["▲ 3 anomalous", "▼ 2 normal", "note"]


def test_the_outline_is_as_high_as_the_normal_images(axes):
    scores, labels = np.array([0.1, 0.2, 0.3, 0.8]), np.array([0, 0, 1, 1])
    histogram(axes, "resnet", scores, labels, 0.5, "", learned=np.linspace(0.1, 0.4, 10))
    (outline,) = [line for line in axes.lines if line.get_drawstyle().startswith("steps")]
    widest = min(outline.get_ydata())
    assert -2 < widest < 0 and axes.texts[2].get_text().strip() == "outline: 10 normal"


def test_an_interval_lies_in_a_row_or_stands_in_a_column(axes):
    look.interval(axes, 3, 0.5, (0.2, 0.6), "#0072B2")
    look.interval(axes, 1, 0.5, (0.2, 0.6), "#0072B2", "D", upright=True, mfc="white")
    row, column = (line for line in axes.lines if line.get_marker() in "oD")
    assert (row.get_xdata()[0], row.get_ydata()[0]) == (0.5, 3)
    assert (column.get_xdata()[0], column.get_ydata()[0]) == (1, 0.5)
    lying, standing = (c.get_segments()[0] for c in axes.collections)
    assert lying.tolist() == [[0.2, 3], [0.6, 3]]
    assert standing.tolist() == [[1, 0.2], [1, 0.6]]


def test_values_are_strewn_within_their_rows(axes):
    look.strewn(axes, {"a": np.arange(5.0), "b": np.arange(3.0)}, ("#000000", "#FF0000"))
    first, second = axes.lines
    assert first.get_xdata().tolist() == [0, 1, 2, 3, 4]
    assert np.abs(second.get_ydata() - 1).max() <= 0.25


def test_scores_far_above_the_rest_get_a_log_scale():
    assert look.bins(np.array([0.1, 0.2, 0.15, 90.0]))[1] == "log"
    edges, scale = look.bins(np.array([0.1, 0.5, 0.9]))
    assert scale == "linear" and (edges[0], edges[-1]) == (0.1, 0.9)


def test_the_note_stands_where_there_is_room(axes):
    labels = np.array([0, 1])
    histogram(axes, "resnet", np.array([0.0, 1.0]), labels, 0.9, "far")
    assert axes.texts[-1].get_ha() == "right"
    histogram(axes, "resnet", np.array([0.0, 1.0]), labels, 0.1, "near")
    assert axes.texts[-1].get_ha() == "left"


def test_the_key_of_a_roc_names_every_model_in_its_colour():
    figure, axes = plt.subplots()
    for model in MEASURED:
        axes.plot([0, 1], [0, 1], label=f"{label(model)}  0.500")
    look.roc_key(figure, axes)
    colours = [text.get_color() for text in figure.legends[0].get_texts()]
    assert colours == [look.ink(model) for model in MEASURED]
    assert len(set(colours)) == len(MEASURED)
    plt.close(figure)

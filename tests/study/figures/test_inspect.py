from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from anomalylib.deploy.inspect import Finding
from study.figures import inspect as inspection_figures

pytestmark = pytest.mark.usefixtures("no_open_figures")


@pytest.fixture
def detector():
    card = SimpleNamespace(arm="combined", images=["a.png"])
    pictures = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    nominal = np.linspace(0.5, 0.9, 10)
    return SimpleNamespace(
        card_=card, nominal_pictures_=pictures, nominal_scores_=nominal, threshold_=1.0
    )


def found(name, score, cells=2):
    picture = np.zeros((16, 16, 3), dtype=np.uint8)
    decision = "anomalous" if score > 1 else "normal"
    maps = np.full((cells, cells), score)
    return Finding(Path(name), decision, score, 1.0, "a.png", 1.0, True, picture, maps)


def test_every_picture_is_a_mark_at_its_score(detector):
    findings = [found("low", 0.6), found("high", 1.4), Finding(Path("x"), "unreadable")]
    (axes,) = inspection_figures.scores(detector, findings).axes
    marks = next(line for line in axes.lines if line.get_marker() == "v")
    assert marks.get_xdata().tolist() == [1.4, 0.6]
    assert sum(bar.get_height() for bar in axes.patches) == 10


def test_the_highest_scores_come_first_and_few(detector):
    findings = [found(f"{i}.png", i / 3, cells=1 + i % 2) for i in range(7)]
    figure = inspection_figures.closest_look(detector, findings)
    titles = [axes.get_title() for axes in figure.axes[::3]]
    assert [title.split("\n")[0] for title in titles] == ["6.png", "5.png", "4.png", "3.png"]
    assert titles[0].endswith("anomalous, 2")


def test_nothing_readable_is_said(detector):
    figure = inspection_figures.closest_look(detector, [Finding(Path("x"), "unreadable")])
    assert "no picture could be read" in [text.get_text() for text in figure.axes[1].texts]
    assert inspection_figures.scores(detector, []).axes


def test_a_name_that_looks_like_a_formula_is_shown_as_it_is(detector):
    figure = inspection_figures.closest_look(detector, [found("$a_b^{$.png", 1.4)])
    figure.canvas.draw()
    assert figure.axes[0].get_title().startswith("$a_b^{$.png\n")

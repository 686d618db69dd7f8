from pathlib import Path

import numpy as np

from anomalylib.deploy.inspect import Finding
from anomalylib.deploy.report import overlay
from study.figures import inspect as figures

THUMBNAILS = np.zeros((1, 8, 8, 3), dtype=np.uint8)
NOMINAL = np.linspace(0.5, 0.9, 10)


def found(name, score, cells=2):
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    decision = "anomalous" if score > 1 else "normal"
    maps = np.full((cells, cells), score)
    return Finding(Path(name), decision, score, 1.0, nearest=0, image=image, map=maps)


def shown(findings):
    overlays = [overlay(each) for each in figures.readable(findings)]
    return figures.closest_look(findings, overlays, THUMBNAILS)


def test_every_image_is_a_mark_at_its_score():
    findings = [found("low", 0.6), found("high", 1.4), Finding(Path("x"), "unreadable")]
    (axes,) = figures.scores("combined", findings, NOMINAL, 1.0).axes
    marks = next(line for line in axes.lines if line.get_marker() == "v")
    assert marks.get_xdata().tolist() == [1.4, 0.6]
    assert sum(bar.get_height() for bar in axes.patches) == 10


def test_the_highest_scores_come_first_and_few():
    figure = shown([found(f"{i}.png", i / 3, cells=1 + i % 2) for i in range(7)])
    titles = [axes.get_title() for axes in figure.axes[::3]]
    assert [title.split("\n")[0] for title in titles] == ["6.png", "5.png", "4.png", "3.png"]
    assert titles[0].endswith("anomalous, 2")


def test_nothing_readable_is_said():
    figure = shown([Finding(Path("x"), "unreadable")])
    assert "no image could be read" in [text.get_text() for text in figure.axes[1].texts]
    assert figures.scores("resnet", [], NOMINAL, 1.0).axes


def test_a_name_that_looks_like_a_formula_is_shown_as_it_is():
    figure = shown([found("$a_b^{$.png", 1.4)])
    figure.canvas.draw()
    assert figure.axes[0].get_title().startswith("$a_b^{$.png\n")

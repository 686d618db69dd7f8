import numpy as np
import pandas as pd
import pytest

from study.figures import trials as trial_figures
from study.runs.rarity import EDGES


@pytest.fixture
def table():
    rows = []
    for number, name in enumerate(("as chosen", "without")):
        for category in ("metal_nut", "screw"):
            values = {"pasted": 0.7 - 0.1 * number, "plain": 0.9, "brightness_normalised": 0.8}
            own = {"family": "kNN reconstruction", "trial": name, "category": category}
            rows.append(own | values)
    return pd.DataFrame(rows)


def drawn(axes, marker):
    """Where the marks of a kind are: (n, 2)."""
    return np.array([line.get_xydata()[0] for line in axes.lines if line.get_marker() == marker])


def test_every_trial_has_its_three_marks(table):
    own = table[table.category == "screw"]
    (axes,) = trial_figures.trials(own, "as chosen").axes
    assert drawn(axes, "o")[:, 0].tolist() == [0.9, 0.9]
    assert drawn(axes, "X")[:, 0] == pytest.approx([0.7, 0.6])
    assert drawn(axes, "D")[:, 0] == pytest.approx([0.8, 0.8])
    bold = [label.get_fontweight() for label in axes.get_yticklabels()]
    assert bold == ["bold", "normal"]


def test_the_choice_is_a_star_and_the_others_are_dots(table):
    panels = trial_figures.choice(table, "as chosen").axes
    assert len(panels) == 2
    for axes in panels:
        assert drawn(axes, "*").tolist() == [[0.7, 0.9]]
        assert drawn(axes, "o") == pytest.approx(np.array([[0.6, 0.9]]))


def test_normal_patches_and_defects_have_a_line_each():
    rows = [
        {"family": family, "trial": "t", "kind": kind, "above": above, "patches": 9, "error": error}
        for family in ("FeatCAE", "kNN reconstruction")
        for kind, error in (("normal", 1.0), ("defect", 2.0))
        for above in EDGES[:-1]
    ]
    panels = trial_figures.by_rarity(pd.DataFrame(rows), ["one", "two"]).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["one", "two"]
    for axes in panels:
        lines = [line for line in axes.lines if len(line.get_xdata()) == len(EDGES) - 1]
        assert sorted(line.get_ydata()[0] for line in lines) == [1.0, 2.0]

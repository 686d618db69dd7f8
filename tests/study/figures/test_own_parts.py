import math
from types import SimpleNamespace

import numpy as np
import pytest

from anomalylib.errors import UserError
from anomalylib.images.category import load_category
from anomalylib.images.reading import read_image
from study.figures import own_parts as walkthrough
from study.parts import bracket

pytestmark = pytest.mark.usefixtures("no_open_figures")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return bracket.ensure_bracket(tmp_path_factory.mktemp("own") / "parts", bracket_counts())


def bracket_counts():
    return {"normal": 10, "defect": 2}


def test_the_tree_counts_every_picture(root):
    lines = walkthrough.tree(root).splitlines()
    assert lines[0] == "parts/"
    counted = [int(word) for line in lines for word in line.split() if word.isdigit()]
    assert sum(counted) == 10 + 2 * 4 * 2  # pictures, and a mask for each defect
    assert any(line.split()[0] == "normal/" and ".png" in line for line in lines)


def test_the_contact_sheet_names_what_it_shows(root):
    figure = walkthrough.contact_sheet(load_category(root, "bracket"))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["normal"] * 4 + ["crack", "dent", "missing hole", "scratch"]


def test_new_pictures_are_none_of_the_set(root, tmp_path):
    folder = walkthrough.new_pictures(tmp_path / "new")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["a nut.png", "cut short.png", "scratched.png", "sound.png", "undrilled.png"]
    with pytest.raises(UserError, match=r"cut short\.png"):
        read_image(folder / "cut short.png")
    category = load_category(root, "bracket")
    known = [image.tobytes() for images in (category.train, category.test) for image in images]
    assert read_image(folder / "sound.png").tobytes() not in known


def test_the_choices_are_those_of_the_rules():
    nominal, held_out = np.arange(10.0), np.arange(40.0)
    table = walkthrough.choices(SimpleNamespace(sigma=2.0, nominal_scores_=nominal), held_out)
    assert table.threshold.tolist() == pytest.approx([4.5 + 2 * nominal.std(), 38])
    assert table["held-out images above it"].tolist() == ["29 of 40", "1 of 40"]
    few = walkthrough.choices(SimpleNamespace(sigma=2.0, nominal_scores_=nominal), np.arange(9.0))
    assert math.isinf(few.threshold[1])

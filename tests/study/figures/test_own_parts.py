import pytest

from anomalylib.images.category import load_category
from study.figures.own_parts import contact_sheet
from study.parts import bracket


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    counts = {"normal": 10, "defect": 2}
    return bracket.ensure_bracket(tmp_path_factory.mktemp("own") / "parts", counts)


def test_the_contact_sheet_names_what_it_shows(root):
    figure = contact_sheet(load_category(root, "bracket"))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["normal"] * 4 + ["crack", "dent", "missing hole", "scratch"]

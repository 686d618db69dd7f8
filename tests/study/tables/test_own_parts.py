import math

import numpy as np
import pytest

from study.parts import bracket
from study.tables.own_parts import choices, normal_part, tree
from tests.study.drawn import make_result


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    counts = {"normal": 10, "defect": 2}
    return bracket.ensure_bracket(tmp_path_factory.mktemp("own") / "parts", counts)


def test_the_tree_counts_every_image(root):
    lines = tree(root).splitlines()
    assert lines[0] == "parts/"
    counted = [int(word) for line in lines for word in line.split() if word.isdigit()]
    assert sum(counted) == 10 + 2 * 4 * 2  # images, and a mask for each defect
    assert any(line.split()[0] == "normal/" and ".png" in line for line in lines)


def test_the_normal_part_has_no_anomalous_image():
    part = normal_part(make_result())
    assert part.labels == [0, 0] and part.names == ["a", "b"] and not part.has_anomalous


def test_the_choices_are_those_of_the_rules():
    nominal, held_out = np.arange(10.0), np.arange(40.0)
    table = choices(nominal, held_out, 2.0)
    assert table.threshold.tolist() == pytest.approx([4.5 + 2 * nominal.std(), 38])
    assert table["held-out images above it"].tolist() == ["29 of 40", "1 of 40"]
    few = choices(nominal, np.arange(9.0), 2.0)
    assert math.isinf(few.threshold[1])

"""What the benchmarks share; no time is asserted."""

import importlib
import json

import pytest

from tests.benchmarks import common
from tests.benchmarks.__main__ import SECTIONS


def test_work_is_done_in_turn_and_the_first_round_is_not_counted():
    order = []
    work = {name: lambda name=name: order.append(name) for name in "ab"}
    seconds = common.in_turn(work, 3)
    assert "".join(order) == "abababab"
    assert [len(values) for values in seconds.values()] == [3, 3]


def test_sections_are_kept_beside_each_other(tmp_path):
    path = tmp_path / "b.json"
    common.keep(path, "one", [{"a": 1}], {"cores": 2})
    common.keep(path, "two", [], {})
    common.keep(path, "one", [{"a": 2}], {"cores": 2})
    assert json.loads(path.read_text()) == {
        "one": {"machine": {"cores": 2}, "rows": [{"a": 2}]},
        "two": {"machine": {}, "rows": []},
    }
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_has_a_module(section):
    assert callable(importlib.import_module(f"tests.benchmarks.{section}").measure)

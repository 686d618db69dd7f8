"""Sections run on hardly any work, before `make bench` uses them; no time is asserted."""

import importlib
import json

import pytest

from study.names import MODELS
from tests.benchmarks import beside, category, common, growth, one_image


@pytest.fixture
def setup(tiny_root, tmp_path, monkeypatch):
    """Hardly any work, in this process."""
    for module in (beside, category, growth, one_image):
        monkeypatch.setattr(module, "alone", lambda function, *given: (function(*given), 1.0))
    return common.Setup(str(tiny_root), ("metal_nut",), "", "", tmp_path / "scratch", quick=True)


def measured(section, setup):
    rows = importlib.import_module(f"tests.benchmarks.{section}").measure(setup)
    return json.loads(json.dumps(rows))  # as the file has them


def test_a_category_is_measured_cold_and_warm(setup):
    rows = measured("category", setup)
    assert {row["model"] for row in rows} == set(MODELS)
    for model in MODELS:
        states = {row["state"]: row for row in rows if row["model"] == model}
        few = states.pop("few", None)
        assert (few is not None) == (model in category.BESIDE_PEERS)
        assert few is None or few["images"][0] == 4 < states["cold"]["images"][0]
        between = set() if model == "autoencoder" else {"features kept"}
        assert set(states) == {"cold", "all kept"} | between
        assert len({row["auroc"] for row in states.values()}) == 1  # kept or not, the same


def test_one_image_is_timed_on_one_thread_and_two(setup):
    rows = measured("one_image", setup)
    assert {(row["model"], row["threads"]) for row in rows} == {
        (a, t) for a in MODELS for t in (1, 2)
    }

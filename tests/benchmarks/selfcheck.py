"""Sections run on hardly any work, before `make bench` uses them; no time is asserted."""

import importlib
import json

import pytest

from anomalylib.devices import resolve_device
from study.names import MODELS
from tests.benchmarks import accelerator, category, common, forms, growth, one_image


@pytest.fixture
def setup(tiny_root, tmp_path, monkeypatch):
    """Hardly any work, in this process."""
    for module in (category, forms, growth, one_image):
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


def test_one_image_is_timed_in_every_form_that_a_model_has(setup):
    rows = measured("forms", setup)
    which = {(model, forms.SINGLE) for model in (*MODELS, forms.LARGE)}
    for form in (forms.HALF, forms.ONNX):
        which |= {(model, form) for model in forms.IN_ALL_FORMS}
    found = [(row["model"], row["form"], row["threads"]) for row in rows]
    assert sorted(found) == sorted((*each, threads) for each in which for threads in (1, 2))


def test_a_first_decision_is_timed_in_a_process_of_its_own(setup):
    (row,) = measured("live", setup)
    assert row["who"] == "ours" and row["start_wall"] > 0 and row["start_cpu"] > 0
    assert row["per_second"] > 0 and row["cpu_per_image"] > 0 and row["peak_mb"] > 100


@pytest.mark.skipif(resolve_device().type != "cpu", reason="there is an accelerator to measure")
def test_without_an_accelerator_its_rows_say_so(setup):
    rows = measured("accelerator", setup)
    assert [row["what"] for row in rows] == [what for what, _ in accelerator.WHAT]
    assert {row["value"] for row in rows} == {None} and {row["device"] for row in rows} == {"cpu"}

"""The benchmarks run and say what they should; how fast anything is, no test asserts."""

import importlib
import json
import time

import pytest

from study.names import ARMS
from tests.benchmarks import arms, beside, category, common, growth, one_image
from tests.benchmarks.__main__ import SECTIONS


@pytest.fixture
def setup(tiny_root, tmp_path, monkeypatch):
    """Hardly any work, in this process."""
    for module in (beside, category, growth, one_image):
        monkeypatch.setattr(module, "alone", lambda function, *given: (function(*given), 1.0))
    return common.Setup(str(tiny_root), ("metal_nut",), "", "", tmp_path / "scratch", quick=True)


def measured(section, setup):
    rows = importlib.import_module(f"tests.benchmarks.{section}").measure(setup)
    return json.loads(json.dumps(rows))  # as the file has them


def test_work_is_done_in_turn_and_the_first_round_is_not_counted():
    order = []
    work = {name: lambda name=name: order.append(name) for name in "ab"}
    seconds = common.in_turn(work, 3)
    assert "".join(order) == "abababab"
    assert [len(values) for values in seconds.values()] == [3, 3]


def test_seconds_are_those_of_the_work():
    assert common.in_turn({"nap": lambda: time.sleep(0.02)}, 1)["nap"][0] >= 0.02


def test_a_process_of_its_own_tells_its_memory():
    little, much = (common.alone(eval, f"len(b'.' * ({n} * 10**6))") for n in (1, 400))
    assert little[0] == 10**6
    assert 350 < much[1] - little[1] < 450


def test_sections_are_kept_beside_each_other(tmp_path):
    path = tmp_path / "b.json"
    common.keep(path, "one", [{"a": 1}], {"cores": 2})
    common.keep(path, "two", [], {})
    common.keep(path, "one", [{"a": 2}], {"cores": 2})
    found = json.loads(path.read_text())
    assert found == {
        "one": {"machine": {"cores": 2}, "rows": [{"a": 2}]},
        "two": {"machine": {}, "rows": []},
    }
    assert list(tmp_path.iterdir()) == [path]


def test_extraction_compares_with_the_original(setup):
    rows = measured("extraction", setup)
    variants = {"original", "cut and folded", "smaller batches", "bfloat16"}
    for layers in ("layer2", "layer2 and layer3"):
        own = {row["variant"]: row for row in rows if row["layers"] == layers}
        assert set(own) == variants | {"product float32", "product bfloat16"}
        assert all(len(row["seconds"]) == 1 and row["seconds"][0] > 0 for row in own.values())
        assert own["original"]["images"] == own["bfloat16"]["images"] == 8
    flop = {row["layers"]: row["gflop"] / 8 for row in rows if row["variant"] == "bfloat16"}
    assert flop["layer2"] == pytest.approx(3.63, abs=0.05)  # a ResNet-50 at 224 pixels
    assert flop["layer2 and layer3"] == pytest.approx(6.56, abs=0.05)


def test_training_is_judged_on_images_that_neither_recipe_has_seen(setup):
    rows = measured("training", setup)
    recipes = {row["recipe"] for row in rows}
    assert len(recipes) == 4 and sum("literal" in name for name in recipes) == 2
    for row in rows:
        assert row["seconds"] > 0 and 0 < row["held_out_error"] < 2 and 0 <= row["auroc"] <= 1
    ours = [row["held_out_error"] for row in rows if "literal" not in row["recipe"]]
    assert len(set(ours)) == len(ours) == 4


def test_a_category_is_measured_cold_and_warm(setup):
    rows = measured("category", setup)
    assert {row["arm"] for row in rows} == set(ARMS)
    for arm in ARMS:
        own = {row["state"]: row for row in rows if row["arm"] == arm}
        few = own.pop("few", None)
        assert (few is not None) == (arm in category.BESIDE_PEERS)
        assert few is None or few["images"][0] == 4 < own["cold"]["images"][0]
        between = set() if arm == "autoencoder" else {"features kept"}
        assert set(own) == {"cold", "all kept"} | between
        assert len({row["auroc"] for row in own.values()}) == 1  # kept or not, the same


def test_one_image_is_timed_on_one_thread_and_two(setup):
    rows = measured("one_image", setup)
    assert {(row["arm"], row["threads"]) for row in rows} == {(a, t) for a in ARMS for t in (1, 2)}
    assert all(row["milliseconds"][0] > 0 for row in rows)


def test_both_precisions_have_an_auroc(setup):
    rows = measured("precision", setup)
    assert len(rows) == 6 and {row["precision"] for row in rows} == {"float32", "bfloat16"}


def test_combined_plus_stands_beside_combined(setup):
    rows = measured("beside", setup)
    assert {row["category"] for row in rows} == {"metal_nut"}
    assert [row["arm"] for row in rows] == ["combined", "combined_plus", "patchcore"]
    assert all(row["fit"] > 0 and row["score"] > 0 and row["peak_mb"] == 1 for row in rows)


def test_growth_has_each_number_and_side(setup):
    rows = measured("growth", setup)
    usual = {(row["images"], row["side"]) for row in rows if not row["wide"]}
    assert usual == {(8, 64), (16, 64), (16, 96)}
    shapes = {(r["images"], r["side"]): r["shape"] for r in rows if r["arm"] == "features"}
    assert shapes[16, 96][:3] == [16, 12, 12]
    (wide,) = (row for row in rows if row["wide"] and row["arm"] == "features")
    assert wide["shape"] == [8, 8, 8, 1536]
    assert not (setup.scratch / "growth").exists()


def test_every_section_has_a_module():
    for section in SECTIONS:
        assert callable(importlib.import_module(f"tests.benchmarks.{section}").measure)
    assert arms.ARMS == ARMS

import json

import pandas as pd
import pytest

from anomalylib.errors import UserError
from study.tables import benchmarks, cost
from tests.study.drawn import CATEGORY, EXTRACTION, GROWTH, MACHINE, ONE, PEERS, TRAINING


@pytest.fixture
def folder(tmp_path):
    sections = {"extraction": EXTRACTION, "training": TRAINING, "category": CATEGORY}
    sections |= {"peers": PEERS, "one_image": ONE, "growth": GROWTH}
    said = {name: {"machine": MACHINE, "rows": rows} for name, rows in sections.items()}
    (tmp_path / "benchmarks.json").write_text(json.dumps(said))
    return tmp_path


def test_sections_are_read_with_their_machine(folder):
    sections, machines = benchmarks.read_benchmarks(folder)
    assert len(sections["training"]) == 6 and machines["training"] == MACHINE


def test_machines_are_listed_with_what_was_measured_on_them():
    one = {"processor": "A", "cores": 2, "torch": "2.5", "date": "today"}
    found = benchmarks.machine_rows({"a_b": one, "c": one | {"processor": "B"}, "d": one})
    said = "cores, PyTorch 2.5"
    assert found == {"measured: a b, d": f"A, 2 {said}", "measured: c": f"B, 2 {said}"}


@pytest.mark.parametrize("text", [None, "{", "{}"])
def test_an_unreadable_file_is_one_line(text, tmp_path):
    if text is not None:
        (tmp_path / "benchmarks.json").write_text(text)
    with pytest.raises(UserError, match="make bench writes it"):
        benchmarks.read_benchmarks(tmp_path)


def test_ratios_are_taken_within_a_round():
    found = benchmarks.extraction_speeds(pd.DataFrame(EXTRACTION)).set_index("variant")
    assert list(found.index) == ["original", "cut", "bfloat16"]
    assert found.speed.tolist() == [5, 10, 20]
    assert found.loc["cut", ["ratio", "ratio_low", "ratio_high"]].tolist() == [2, 2, 3]
    assert found.loc["cut", "share"] == pytest.approx(30 / 50)
    assert found.loc["bfloat16", "share"] == pytest.approx(60 / 100)


def test_time_to_quality_is_that_of_the_first_schedule_as_good():
    found = benchmarks.times_to_quality(pd.DataFrame(TRAINING)).set_index("precision")
    whole, half = found.loc["float32"], found.loc["bfloat16"]
    assert (whole.error, whole.literal_seconds, whole.literal_auroc) == (0.2, 100, 0.95)
    assert (whole.epochs, whole.seconds, whole.auroc, whole.ratio) == (2, 10, 0.96, 0.1)
    assert pd.isna(half.seconds)  # never as good


def test_costs_are_medians_and_the_peer_stands_beside():
    found = benchmarks.category_costs(pd.DataFrame(CATEGORY), pd.DataFrame(PEERS))
    row = found[(found.who == "combined") & (found.state == "cold")].iloc[0]
    assert (row.fit, row.score, row.total, row.low, row.high) == (40, 2, 42, 32, 52)
    assert (row.image, row.peak_gb) == (100, 0.95)
    peers = found[found.who.str.startswith("anomalib")].set_index("who").state
    assert peers.to_dict() == {"anomalib, 10%": "few", "anomalib, 1%": "cold"}


def test_latency_of_the_peer_joins_its_repeats():
    found = benchmarks.latencies(pd.DataFrame(ONE), pd.DataFrame(PEERS)).set_index(
        ["who", "threads"]
    )
    assert found.loc[("anomalib, 10%", 1), "median"] == 110
    assert found.loc[("resnet", 2), "median"] == 10


def test_a_change_of_precision_is_that_of_one_seed():
    rows = [
        {"category": "a", "model": "combined", "seed": seed, "precision": p, "auroc": value}
        for seed, both in enumerate([(0.9, 0.91), (0.8, 0.79)])
        for p, value in zip(("float32", "bfloat16"), both, strict=True)
    ]
    found = benchmarks.precision_changes(pd.DataFrame(rows))
    assert found.change.tolist() == pytest.approx([0.01, -0.01])


def test_what_no_accelerator_has_measured_is_said_to_be_so():
    rows = [{"what": "a", "unit": "seconds", "value": 2.345, "device": "card", "command": "make x"}]
    rows.append({"what": "b", "unit": "share", "value": None, "device": "cpu", "command": "make x"})
    found = benchmarks.on_accelerator(pd.DataFrame(rows))
    assert found.to_numpy().tolist() == [
        ["a", "2.35 seconds", "card"],
        ["b", "not measured", "make x"],
    ]


def test_the_live_rows_become_medians_with_their_range():
    rows = [
        {"who": who, "start_wall": start, "start_cpu": 2 * start, "per_second": 10 / start}
        | {"cpu_per_image": 0.05, "peak_mb": 900.4}
        for who, start in [("ours", 2.0), ("ours", 4.0), ("ours", 2.5), ("peer", 5.0)]
    ]
    peer, ours = benchmarks.live(pd.DataFrame(rows)).to_numpy().tolist()
    assert ours[0] == "anomalylib" and ours[1:3] == ["2.5 (2.0–4.0)", "5.0 (4.0–8.0)"]
    assert ours[3:] == ["4.0 (2.5–5.0)", "0.050 (0.050–0.050)", "900 (900–900)"]
    assert peer[:2] == ["anomalib, TorchInferencer", "5.0 (5.0–5.0)"]


def test_forms_are_compared_where_a_model_has_several():
    rows = [
        {"model": model, "form": form, "threads": threads, "milliseconds": [value / threads] * 9}
        for model, form, value in [
            ("resnet", "float32", 10.0),
            ("combined", "float32", 20.0),
            ("combined", "onnxruntime", 24.0),
            ("patchcore, 384 pixels", "float32", 70.0),
        ]
        for threads in (1, 2)
    ]
    found = benchmarks.form_latencies(pd.DataFrame(rows))
    assert found[["median", "low", "high"]].nunique(axis=1).eq(1).all()
    fast = {"quickest": "float32 in 2 of 2", "quickest_full": "float32 in 2 of 2"}
    assert cost.quickest(found) == fast
    half = found[found.form == "onnxruntime"].assign(form="bfloat16", median=5.0)
    said = cost.quickest(pd.concat([found, half]))
    assert said == fast | {"quickest": "bfloat16 in 2 of 2"}
    table = cost.forms(found)
    assert table.to_numpy().tolist() == [
        ["ResNet + FeatCAE", "float32", "20 (20–20)", "10 (10–10)"],
        ["ResNet + FeatCAE", "onnxruntime", "24 (24–24)", "12 (12–12)"],
    ]
    assert cost.larger(found) == {
        "large_one": "70",
        "usual_one": "20",
        "large_ratio": "3.5",
        "large_ratio_two": "3.5",
    }

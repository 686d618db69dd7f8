import json

import pandas as pd
import pytest

from anomalylib.errors import UserError
from study.names import ARMS
from study.tables import benchmarks

EXTRACTION = [
    {"layers": "layer2", "variant": "original", "seconds": [4.0, 2.0, 6.0], "images": 20.0},
    {"layers": "layer2", "variant": "cut", "seconds": [2.0, 1.0, 2.0], "images": 20, "gflop": 60.0},
    {"layers": "layer2", "variant": "bfloat16", "seconds": [1.0] * 3, "images": 20, "gflop": 60.0},
    {"layers": "layer2", "variant": "product float32", "seconds": [1.0] * 3, "gflop": 50.0},
    {"layers": "layer2", "variant": "product bfloat16", "seconds": [0.5] * 3, "gflop": 50.0},
]


def recipe(name, points, seed=0):
    keys = ("epochs", "seconds", "held_out_error", "auroc")
    said = {"category": "metal_nut", "seed": seed, "recipe": name}
    return [said | dict(zip(keys, point, strict=True)) for point in points]


TRAINING = [
    *recipe("literal, 32 images a step", [(25, 50.0, 0.3, 0.9), (50, 100.0, 0.2, 0.95)]),
    *recipe("shuffled vectors, float32", [(1, 5.0, 0.25, 0.94), (2, 10.0, 0.19, 0.96)]),
    *recipe("shuffled vectors, bfloat16", [(1, 3.0, 0.26, 0.9), (2, 6.0, 0.21, 0.91)]),
]
CATEGORY = [
    {"arm": arm, "state": state, "fit": fit, "score": 2.0, "images": [10, 20]}
    | {"peak_mb": 900.0 + fit, "auroc": 0.9}
    for arm in ARMS
    for state, times in {"cold": (30.0, 50.0), "all kept": (1.0, 3.0)}.items()
    for fit in times
]
PEERS = [
    {"coreset": share, "fit": 300.0, "score": 4.0, "images": [count, 20], "peak_mb": 2000.0}
    | {"auroc": 0.99, "milliseconds": {"1": [100.0, 110.0, 120.0], "2": [60.0, 70.0, 80.0]}}
    for share, count in ((0.1, 5), (0.01, 10))
]
ONE = [
    {"arm": arm, "threads": threads, "milliseconds": [20.0 / threads] * 10}
    for arm in ARMS
    for threads in (1, 2)
]
GROWTH = [
    {"arm": arm, "images": count, "side": side, "seconds": count / 50, "peak_mb": 900.0}
    | {"wide": wide}
    for arm in ("features", *ARMS)
    for count, side, wide in zip(
        (100, 400, 400, 480), (224, 224, 448, 224), (False, False, False, True), strict=True
    )
]
MACHINE = {"processor": "a processor", "threads": 2}


@pytest.fixture
def folder(tmp_path):
    sections = {"extraction": EXTRACTION, "training": TRAINING, "category": CATEGORY}
    sections |= {"peers": PEERS, "one_image": ONE, "growth": GROWTH}
    said = {name: {"machine": MACHINE, "rows": rows} for name, rows in sections.items()}
    (tmp_path / "benchmarks.json").write_text(json.dumps(said))
    return tmp_path


def test_sections_are_read_with_their_machine(folder):
    sections, machine = benchmarks.read_benchmarks(folder)
    assert len(sections["training"]) == 6 and machine == MACHINE


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
    assert (row.fit, row.judge, row.total, row.low, row.high) == (40, 2, 42, 32, 52)
    assert (row.image, row.peak_gb) == (100, 0.95)
    peers = found[found.who.str.startswith("anomalib")].set_index("who").state
    assert peers.to_dict() == {"anomalib, 10%": "few", "anomalib, 1%": "cold"}


def test_a_ratio_is_of_runs_beside_each_other():
    rows = [
        {"category": "nut", "repeat": repeat, "arm": arm, "fit": fit, "score": 1.0, "peak_mb": 900}
        for repeat, fits in enumerate([(1.0, 3.0, 7.0), (3.0, 5.0, 8.0), (9.0, 29.0, 9.0)])
        for arm, fit in zip(("combined", "combined_plus", "patchcore"), fits, strict=True)
    ]
    (row,) = benchmarks.beside(pd.DataFrame(rows)).to_dict("records")
    assert (row["ratio"], row["low"], row["high"]) == (2.0, 1.5, 3.0)
    assert (row["combined"], row["combined_plus"], row["patchcore"]) == (4.0, 6.0, 9.0)
    assert row["peak_gb"] == 0.9


def test_latency_of_the_peer_joins_its_repeats():
    found = benchmarks.latencies(pd.DataFrame(ONE), pd.DataFrame(PEERS)).set_index(
        ["who", "threads"]
    )
    assert found.loc[("anomalib, 10%", 1), "median"] == 110
    assert found.loc[("resnet", 2), "median"] == 10


def test_a_change_of_precision_is_that_of_one_seed():
    rows = [
        {"category": "a", "arm": "combined", "seed": seed, "precision": p, "auroc": value}
        for seed, both in enumerate([(0.9, 0.91), (0.8, 0.79)])
        for p, value in zip(("float32", "bfloat16"), both, strict=True)
    ]
    found = benchmarks.precision_changes(pd.DataFrame(rows))
    assert found.change.tolist() == pytest.approx([0.01, -0.01])

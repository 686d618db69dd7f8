import numpy as np
import pandas as pd

from study.tables import text as prose


def summary_rows():
    rows = []
    for category, value in (("metal_nut", 0.9), ("screw", 0.6)):
        for model in ("autoencoder", "resnet", "combined", "patchcore", "mean grey"):
            row = {"category": category, "variant": "plain", "model": model, "n_seeds": 5}
            row |= {"backbone": "" if model in ("autoencoder", "mean grey") else "small"}
            rows.append(row | {"auroc_mean": value, "auroc_ci_low": 0.5, "auroc_ci_high": 0.95})
    return pd.DataFrame(rows)


def test_an_interval_stands_in_brackets():
    assert prose.with_interval(summary_rows().iloc[0]) == "0.900 [0.500, 0.950]"


def test_tiny_p_values_are_not_written_out():
    assert prose.p_value(1e-9) == "< 0.001"
    assert prose.p_value(0.0421) == "0.042"


def test_decisions_are_named_by_part_model_and_rule():
    row = {"category": "nut", "model": "combined", "threshold_rule": "long name", "recall": 0.5}
    row |= {"fpr": 0.04, "fpr_ci_high": 0.126, "skewness": 4.92, "n_learned": 44, "n_normal": 22}
    other = row | {"threshold_rule": "not asked for"}
    said = prose.decided(pd.DataFrame([row, other]), {"short": "long name"})
    assert said["nut_combined_short_recall"] == "50%"
    assert said["nut_combined_short_bound"] == "13%"
    assert said["nut_combined_short_skew"] == "4.9"
    assert len(said) == 6


def test_our_rows_stand_among_the_published_ones_by_the_harder_part():
    published = pd.DataFrame(
        {
            "method": ["A", "B"],
            "backbone": "x",
            "metal_nut": [0.99, 0.5],
            "screw": [0.98, 0.3],
            "mean15": [0.9, np.nan],
            "key": "k",
            "paper": "q",
            "repository": "r",
            "commit": "c",
            "note": "",
            "source": "s",
        }
    )
    both = prose.beside(published, summary_rows())
    assert both.method.tolist()[0::5] == ["A", "B"]  # ours in between
    own = both[both.source == "this study"]
    assert len(own) == 4 and (own.screw == 0.6).all()
    assert own.note.iloc[0] == "seeds: 5; [0.500, 0.950], [0.500, 0.950]"


def test_intervals_of_a_column_are_written_out():
    low, high = pd.Series([0.1, -0.2]), pd.Series([0.25, 0.3])
    assert prose.ranges(low, high) == ["[0.100,\u00a00.250]", "[-0.200,\u00a00.300]"]
    assert prose.ranges(low, high, "+")[0] == "[+0.100,\u00a0+0.250]"


def test_numbers_are_put_by_name(monkeypatch):
    seen = {}
    monkeypatch.setattr("myst_nb.glue", lambda name, value, display: seen.update({name: value}))
    prose.put({"a": 0.12349, "b": "as said"})
    assert seen == {"a": "0.123", "b": "as said"}

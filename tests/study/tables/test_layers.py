import numpy as np
import pandas as pd
import pytest

from study.names import MAIN
from study.tables import layers
from study.tables.comparisons import compare
from tests.study.drawn import reference_tables
from tests.study.tables.formulas import rank_auroc


@pytest.fixture(scope="module")
def scores():
    return reference_tables(("metal_nut", "screw"))[0]


@pytest.fixture(scope="module")
def table(scores):
    return layers.both_against_one(scores, MAIN)


def test_every_part_model_and_layer_has_its_difference(scores, table):
    assert len(table) == 2 * 2 * 2
    row = table[(table.category == "screw") & (table.model == "patchcore")].iloc[1]
    both = {"category": "screw", "model": "patchcore", "backbone": MAIN}
    expected = compare(scores, both, both | {"variant": "layer3"})
    assert row.than == "layer3"
    assert (row.difference, row.low, row.p) == (expected.difference, expected.low, expected.p)


def test_the_text_says_where_a_second_layer_helps_and_where_it_harms(scores, table):
    own = (table.model == "combined") & (table.than == "layer2")
    sure = table.assign(low=-1.0, high=1.0)
    sure.loc[own & (table.category == "screw"), "low"] = 0.01
    sure.loc[own & (table.category == "metal_nut"), "high"] = -0.01
    made = layers.numbers(scores, sure, MAIN)
    assert made["combined_layer2_helps"] == "screw"
    assert made["combined_layer2_harms"] == "metal nut"
    assert made["patchcore_layer3_helps"] == "none"
    assert made["combined_layer2"].startswith(f"{table[own].difference.mean():+.3f}")
    assert len(layers.as_shown(table)) == len(table)


def test_backbones_are_told_apart_by_weights_and_layers(scores):
    other = scores[(scores.variant == "layer3") & (scores.category == "screw")]
    both = pd.concat([scores, other.assign(backbone="other", variant="plain")])
    table = layers.backbones(both, MAIN, "other")
    assert set(zip(table.category, table.model, strict=True)) == {
        ("screw", "combined"),
        ("screw", "patchcore"),
    }
    assert (table.weights + table.layers).to_numpy() == pytest.approx(table.total.to_numpy())
    row = table.iloc[0]
    alone = {"category": "screw", "model": row.model, "backbone": MAIN, "variant": "layer2"}
    expected = compare(both, alone, {**alone, "backbone": "other", "variant": "plain"})
    assert (row.weights, row.weights_low) == (expected.difference, expected.low)
    shown = layers.backbones_shown(table)
    assert shown.weights.iloc[0].startswith(f"{expected.difference:+.3f} [")


def test_the_text_says_where_a_backbone_is_better():
    rows = [
        {"category": "a", "model": "combined", "total_low": 0.1, "total_high": 0.3},
        {"category": "b", "model": "combined", "total_low": -0.3, "total_high": -0.1},
        {"category": "c", "model": "combined", "total_low": -0.3, "total_high": 0.1},
    ]
    made = layers.backbone_numbers(pd.DataFrame(rows))
    assert made == {"combined_better": "a", "combined_worse": "b"}


def test_rare_patches_are_weighed_by_their_number_and_empty_bins_left_out():
    bins = [("normal", 0.98, 9, 9.0), ("normal", 0.99, 30, 1.0), ("normal", 0.995, 10, 2.0)]
    bins += [("defect", 0.99, 0, np.nan), ("defect", 0.995, 5, 3.0)]
    table = pd.DataFrame(bins, columns=["kind", "above", "patches", "error"])
    made = layers.rarity_numbers(table.assign(layers="layer2,layer3"))
    assert made == {
        "rare_normal_both": "1.25",
        "rare_defect_both": "3.00",
        "rare_ratio_both": "2.40",
    }


def test_codes_are_compared_on_the_same_images():
    labels = np.repeat([0, 1], 12)
    drawn = np.random.default_rng(0).normal(size=(2, 24)) + labels
    frames = [
        pd.DataFrame({"image": range(24), "label": labels, "score_top10": scores}).assign(
            category="screw", layers="layer2", latent=latent, variant="plain", seed=0
        )
        for latent, scores in zip((50, 400), drawn, strict=True)
    ]
    (row,) = layers.codes(pd.concat(frames)).to_dict("records")
    narrow, wide = rank_auroc(labels, drawn)
    assert (row["category"], row["layers"]) == ("screw", "layer2")
    assert row["50"].startswith(f"{narrow:.3f} [") and row["400"].startswith(f"{wide:.3f} [")
    assert row["400 less 50"].startswith(f"{wide - narrow:+.3f}")

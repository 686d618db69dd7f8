import numpy as np
import pandas as pd
import pytest

from study.names import LARGER, LARGER_HELD_OUT
from study.tables import advice
from study.tables.reference import select
from tests.study.drawn import reference_tables
from tests.study.tables.formulas import threshold


@pytest.fixture(scope="module")
def made():
    """Scores, normal scores and the choices made of them, PatchCore also held out at 384."""
    scores, nominal, *_ = reference_tables(("metal_nut", "screw"), times=4)
    more = []
    for table in (scores, nominal):
        own = (table.model == "patchcore") & (table.variant == "held-out")
        more.append(pd.concat([table, table[own].assign(variant=LARGER_HELD_OUT)]))
    names = ("autoencoder", "resnet", "combined", "patchcore", f"patchcore, {LARGER}")
    times = pd.DataFrame({"model": names, "form": "float32", "threads": 1, "median": range(5)})
    return *more, advice.choices(*more, times)


def test_the_ceiling_is_the_best_recall_at_five_per_cent():
    labels = np.repeat([0, 1], [40, 4])
    scores = np.append(np.arange(40.0), [37.5, 36.5, 50, 1])
    assert advice.ceiling(labels, scores) == 0.5  # above 37, that is with 2 of 40 false alarms


def test_the_rule_learns_from_held_out_images_alone(made):
    scores, nominal, choices = made
    assert len(choices) == 2 * 5
    for row in choices.itertuples():
        held_out = LARGER_HELD_OUT if row.variant == LARGER else "held-out"
        which = {"category": row.category, "model": row.model, "variant": held_out}
        learned = select(nominal, images="held-out", **which).score.to_numpy()
        own = select(scores, **which)
        above = own.score_top10 > threshold("conformal", learned)
        assert row.recall == pytest.approx(above[own.label == 1].mean())
        assert row.fpr == pytest.approx(above[own.label == 0].mean())


def test_the_text_has_means_over_parts_and_the_ends_of_the_spread(made):
    choices = made[2]
    text = advice.numbers(choices)
    larger = choices[choices.variant == LARGER].set_index("category").recall
    assert text["larger_recall"] == f"{larger.mean():.0%}"
    assert text["larger_worst"].startswith(f"{larger.min():.0%} (")
    assert text["larger_ms"] == "4" and text["parts"] == "2"
    shown = advice.by_part(choices)
    assert list(shown.category) == ["metal_nut", "screw"] and shown.shape == (2, 6)

import pytest

from study.names import LARGER, MAIN
from study.tables import reference as tables
from study.tables import screw
from tests.study.tables.formulas import rank_auroc


@pytest.fixture(scope="module")
def scores():
    return tables.read_table("scores")


def seed_zero(scores, **which):
    own = tables.select(scores, backbone=MAIN, seed=0, **which).sort_values("image")
    return rank_auroc(own.label.to_numpy(), own.score_top10.to_numpy()[None])[0]


def test_the_text_says_how_clear_the_clearest_difference_to_patchcore_is(scores):
    numbers = screw.knn_reconstruction(scores, tables.read_table("summary"))
    same = scores[scores.seed == 0]
    parts = scores[(scores.variant == LARGER) & (scores.backbone == MAIN)].category.unique()
    found = {part: screw.against_patchcore(same, part) for part in parts}
    for part, pair in found.items():
        ours = seed_zero(scores, category=part, model="knn_reconstruction", variant="plain")
        other = seed_zero(scores, category=part, model="patchcore", variant=LARGER)
        assert pair.difference == pytest.approx(ours - other)
    least = min(pair.p for pair in found.values())
    assert found[numbers["clearest_part"].replace(" ", "_")].p == least
    assert numbers["pairs"] == str(len(found))
    assert float(numbers["corrected"]) == pytest.approx(min(1, least * len(found)), abs=5e-4)
    assert least * len(found) > 0.05  # else the text may not say that none survives

import numpy as np
import pandas as pd
import pytest

from study.names import MAIN, NORMALISED, plain
from study.tables import claims
from study.tables.across_parts import mean_over_parts
from study.tables.reference import RULES
from tests.study.drawn import reference_tables

PARTS = ("metal_nut", "screw", "pill")


@pytest.fixture(scope="module")
def made():
    return reference_tables(PARTS, times=3)


@pytest.fixture(scope="module")
def verdicts(made):
    scores, _, summary, decisions = made
    return claims.verdicts(scores, summary, decisions, MAIN)


def places(row):
    """The parts of each verdict of a row."""
    return {word: set(row[word].split(", ")) - {"–"} for word in claims.VERDICTS}


def test_every_part_has_one_verdict_of_every_claim(verdicts):
    assert len(verdicts) == 5
    for row in verdicts.to_dict("records"):
        found = places(row)
        assert sum(map(len, found.values())) == len(PARTS)
        assert set.union(*found.values()) == set(map(plain, PARTS))


def test_a_score_is_scored_by_its_interval(made, verdicts):
    scores, _, summary, decisions = made
    rows = (summary.model == "combined") & (summary.variant == "plain")
    ends = {"metal_nut": (0.95, 1.0), "screw": (0.5, 0.9), "pill": (0.8, 1.0)}
    for name, (low, high) in ends.items():
        columns = ["auroc_ci_low", "auroc_ci_high"]
        summary.loc[rows & (summary.category == name), columns] = low, high
    row = claims.verdicts(scores, summary, decisions, MAIN).iloc[2].to_dict()
    assert row["claim"] == "ResNet + FeatCAE: AUROC about 0.99"
    expected = {"met": {"metal nut"}, "contradicted": {"screw"}, "undecided": {"pill"}}
    assert places(row) == expected


def test_an_order_is_met_where_the_first_is_clearly_better(made):
    scores, _, summary, decisions = made
    better = (scores.model == "resnet") & (scores.category == "pill")
    lifted = scores.assign(score_top10=scores.score_top10.mask(better, scores.label + 0.0))
    row = claims.verdicts(lifted, summary, decisions, MAIN).iloc[1].to_dict()
    assert "pill" in places(row)["met"]


def test_a_threshold_needs_enough_images_to_be_met(made):
    scores, _, summary, decisions = made
    used = (decisions.model == "combined") & (decisions.threshold_rule == RULES[0].name)
    ends = ["hits_least", "hits_most", "false_alarms_least", "false_alarms_most"]
    columns = [*ends, "n_anomalous", "n_normal"]
    for name, counts in (
        ("metal_nut", (100, 100, 0, 0, 100, 60)),  # shown
        ("screw", (70, 100, 0, 0, 100, 60)),  # by one seed, and not by another
        ("pill", (50, 60, 0, 0, 100, 60)),  # half of the defects
    ):
        decisions.loc[used & (decisions.category == name), columns] = counts
    row = claims.verdicts(scores, summary, decisions, MAIN).iloc[4].to_dict()
    expected = {"met": {"metal nut"}, "contradicted": {"pill"}, "undecided": {"screw"}}
    assert places(row) == expected


def test_a_backbone_is_scored_on_the_parts_where_it_was_measured(made):
    scores, _, summary, decisions = made
    some = [table[table.category != "pill"] for table in (scores, summary, decisions)]
    other = [each.assign(backbone=each.backbone.replace(MAIN, "other")) for each in some]
    both = [pd.concat(pair).drop_duplicates() for pair in zip(made[::2], other[:2], strict=True)]
    decided = pd.concat([decisions, other[2]]).drop_duplicates()
    table = claims.verdicts(*both, decided, "other")
    assert all("pill" not in set.union(*places(row).values()) for row in table.to_dict("records"))


def test_the_matrix_has_every_part_and_the_mean_over_them(made):
    scores, _, summary, _ = made
    table = claims.matrix(summary, scores, MAIN)
    assert list(table.index) == [*PARTS, "mean"]
    assert "PatchCore, 384 pixels" in table and "brightness" in table
    rows = summary[(summary.model == "combined") & (summary.variant == "plain")]
    mean = mean_over_parts(claims.scored(scores, "combined", MAIN))
    assert mean.value == pytest.approx(rows.auroc_mean.mean())
    assert table["ResNet + FeatCAE"]["mean"].startswith(f"{rows.auroc_mean.mean():.3f} [")


def test_a_verdict_that_one_mean_grey_turns_around_says_so(made):
    scores, _, summary, decisions = made
    lifted = (scores.model == "combined") & (scores.category == "pill")
    lifted &= scores.variant == "plain"
    better = scores.assign(score_top10=scores.score_top10.mask(lifted, scores.label + 0.0))
    row = claims.verdicts(better, summary, decisions, MAIN).iloc[3]
    before = claims.decide(better, summary, decisions, MAIN)["featcae"]
    after = claims.decide(better, summary, decisions, MAIN, NORMALISED)["featcae"]
    assert before["pill"] == "met" != after["pill"]
    changed = [f"{plain(part)}: {after[part]}" for part in PARTS if before[part] != after[part]]
    assert row["one mean grey"] == ", ".join(changed)


def test_verdicts_that_change_with_the_backbone_are_counted(made):
    tables = [table.assign(backbone=table.backbone.replace(MAIN, "other")) for table in made]
    both = [pd.concat(pair).drop_duplicates() for pair in zip(made, tables, strict=True)]
    same = claims.changing(both[0], both[2], both[3], [MAIN, "other"])
    assert (same["changed"], same["compared"]) == ("0", "12")
    shown = (both[2].model == "combined") & (both[2].backbone == "other")
    shown &= (both[2].category == "pill") & (both[2].variant == "plain")
    both[2].loc[shown, ["auroc_ci_low", "auroc_ci_high"]] = 0.97, 1.0
    found = claims.changing(both[0], both[2], both[3], [MAIN, "other"])
    assert (found["changed"], found["changed_combined"]) == ("1", "pill")


def test_models_are_ranked_over_all_parts(made):
    scores, _, summary, _ = made
    found = claims.ranked(scores, summary, MAIN)
    assert found.mean_ranks.sum() == pytest.approx(5 * 6 / 2)
    text, ranks, pairs = claims.compared(found)
    assert len(pairs) == int(text["pairs"]) == 10
    assert ranks["mean rank"].is_monotonic_increasing
    assert text["smallest"] == "0.250"  # of three parts: 2 / 2³
    assert text["clear"] == "none"
    sure = found._replace(pairs=found.pairs.assign(p_holm=np.linspace(0.01, 1, 10)))
    first = found.pairs.iloc[0]
    assert claims.compared(sure)[0]["clear"] == f"{first['first']} over {first['second']}"

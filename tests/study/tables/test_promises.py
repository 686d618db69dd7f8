import itertools

import numpy as np
import pytest
from scipy import stats

from anomalylib.detectors.thresholds import Conformal
from study.names import MAIN, MODELS
from study.tables import promises
from study.tables.reference import RULES, select
from tests.study.drawn import reference_tables
from tests.study.tables.formulas import threshold


@pytest.fixture(scope="module")
def made():
    return reference_tables(("metal_nut", "screw"))


@pytest.fixture(scope="module")
def table(made):
    return promises.promises(made[0], made[1], MAIN)


def test_every_part_model_and_rule_has_a_row(table):
    keys = set(zip(table.category, table.model, table.rule, strict=True))
    expected = itertools.product(("metal_nut", "screw"), MODELS, [rule.name for rule in RULES])
    assert keys == set(expected) and len(table) == len(keys)


def test_alarms_are_counted_above_the_threshold_of_the_rule(made, table):
    scores, nominal, *_ = made
    which = {"category": "screw", "model": "combined", "variant": "held-out"}
    learned = {
        name: select(nominal, images=name, **which).score.to_numpy()
        for name in ("training", "held-out")
    }
    own = select(scores, **which)
    for rule in RULES:
        row = select(table, category="screw", model="combined", rule=rule.name).iloc[0]
        level = threshold(rule.name, learned[rule.images])
        above = own[own.score_top10 > level].label
        assert (row.test_alarms, row.hits) == ((above == 0).sum(), (above == 1).sum())
        held_out = learned["held-out"]
        if rule.images == "training":
            assert row.held_out_alarms == (held_out > level).sum()
        else:
            others = [np.delete(held_out, i) for i in range(len(held_out))]
            counted = [
                score > threshold(rule.name, rest)
                for score, rest in zip(held_out, others, strict=True)
            ]
            assert row.held_out_alarms == sum(counted)


def test_promises_are_rates():
    rates = [promises.promised(rule) for rule in RULES]
    assert rates == pytest.approx([0.00135, 0.01, 0.00135, 0.01, 0.05], abs=1e-5)


def test_the_chance_of_a_fixed_rate_is_binomial():
    rule = RULES[1]  # 1 %
    expected = 1 - 0.99**30
    assert promises.chance(1, 30, rule, 200) == pytest.approx(expected)
    assert promises.chance(0, 30, rule, 200) == 1


def test_the_chance_of_the_conformal_rule_is_that_of_exchangeable_scores():
    (rule,) = [rule for rule in RULES if isinstance(rule.rule, Conformal)]
    random = np.random.default_rng(0)
    alarms = []
    for _ in range(4000):
        learned, new = random.normal(size=40), random.normal(size=22)
        alarms.append((new > rule.rule.fit(learned).threshold_).sum())
    for count in (1, 2, 4):
        found = promises.chance(count, 22, rule, 40)
        assert found == pytest.approx(np.mean(np.array(alarms) >= count), abs=0.03)
    assert promises.chance(22, 22, rule, 10) == 1  # of ten images it promises nothing


def test_rules_are_summed_over_parts_and_models(table):
    rows = promises.kept(table).set_index("rule")
    for rule, own in table.groupby("rule"):
        assert rows.test_alarms[rule] == own.test_alarms.sum()
        assert rows.held_out_rate[rule] == pytest.approx(
            own.held_out_alarms.sum() / own.held_out.sum()
        )
        p = np.sort(own.test_p) * np.arange(len(own), 0, -1)  # Holm, stepped down
        assert rows.test_broken[rule] == (np.maximum.accumulate(p) < 0.05).sum()
    assert np.isnan(rows.held_out_broken[RULES[4].name])


def test_a_broken_promise_is_counted(table):
    broken = table.assign(test_p=np.where(table.model == "resnet", 1e-6, 1.0))
    assert (promises.kept(broken).test_broken == 2).all()
    made = promises.numbers(promises.kept(broken))
    assert made["conformal_broken"] == "2" and made["pairs"] == "8"
    shown = promises.kept_table(promises.kept(broken))
    assert list(shown["broken, normal test images"]) == ["2 of 8"] * 5
    assert stats.norm.sf(3) == pytest.approx(float(shown.promises[0].rstrip("%")) / 100, abs=1e-4)

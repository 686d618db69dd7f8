"""Threshold rules against what they promise: false alarms on normal images, by exact tests."""

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.detectors.thresholds import Conformal, MeanPlusSigma
from study.names import MODELS
from study.tables.across_parts import holm
from study.tables.reference import RULES, Rule, of_model, scores_of, select
from study.tables.text import Numbers

VARIANT = "held-out"
"""The runs that all rules are tried on: one fit, without a fifth of the training images."""
CERTAIN = 0.05


def promised(rule: Rule) -> float:
    """The rate of false alarms that a rule stands for; of mean + 3σ if scores were normal."""
    if isinstance(rule.rule, MeanPlusSigma):
        return float(stats.norm.sf(rule.rule.sigma))
    return rule.rule.alpha if isinstance(rule.rule, Conformal) else 1 - rule.rule.share


def chance(alarms: int, images: int, rule: Rule, learned: int) -> float:
    """Chance of so many false alarms or more, among new normal images, if the promise holds.

    Binomial, with the promised rate as if it were known. Of the conformal rule exact, over the
    images that it learned from as well: how many of `images` scores lie above one of `learned`
    by its rank is beta-binomial, if all are exchangeable and no two equal.
    """
    if isinstance(rule.rule, Conformal):
        above = int(np.floor(rule.rule.alpha * (learned + 1) + 1e-9))
        if above == 0:  # the threshold is infinite
            return 1.0
        return float(stats.betabinom.sf(alarms - 1, images, above, learned + 1 - above))
    return float(stats.binom.sf(alarms - 1, images, promised(rule)))


def left_out_alarms(rule: Rule, scores: np.ndarray) -> int:
    """How many of some scores (N,) lie above the threshold learned from all others."""
    thresholds = [rule.rule.fit(np.delete(scores, i)).threshold_ for i in range(len(scores))]
    return int((scores > np.array(thresholds)).sum())


def promises(scores: pd.DataFrame, nominal: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """What each rule does to normal images of each part and model, of seed 0: a row each.

    ``held_out_alarms`` are counted among the ``held_out`` normal images, each left out of what
    the rule learns from: no test image has a say. ``test_alarms`` and ``hits`` are of the test
    images. ``*_p`` are of `chance`; of the conformal rule's own held-out images there is none,
    since their ranks are given by its construction.
    """
    rows = []
    there = nominal[(nominal.variant == VARIANT) & (nominal.seed == 0)]
    there = there[there.model.isin(MODELS)]
    for (category, model), images in there.groupby(["category", "model"], sort=False):
        which = {"category": category, "variant": VARIANT} | of_model(model, backbone)
        if (images.backbone != which["backbone"]).all():
            continue
        training, held_out = (
            select(images, images=name).score.to_numpy() for name in ("training", "held-out")
        )
        labels, values = scores_of(scores[scores.seed == 0], **which)
        for rule in RULES:
            on_training = rule.images == "training"
            learned = training if on_training else held_out
            threshold = rule.rule.fit(learned).threshold_
            if on_training:
                alarms = int((held_out > threshold).sum())
            else:
                alarms = left_out_alarms(rule, held_out)
            above = values[0] > threshold  # (N,)
            test_alarms, normal = int(above[labels == 0].sum()), int((labels == 0).sum())
            row = {"category": category, "model": model, "rule": rule.name}
            row |= {"promise": promised(rule), "learned": len(learned), "held_out": len(held_out)}
            row |= {"held_out_alarms": alarms, "normal": normal, "test_alarms": test_alarms}
            by_construction = isinstance(rule.rule, Conformal)
            held_out_p = chance(alarms, len(held_out), rule, len(learned))
            row["held_out_p"] = np.nan if by_construction else held_out_p
            row["test_p"] = chance(test_alarms, normal, rule, len(learned))
            row |= {"hits": int(above[labels == 1].sum()), "anomalous": int(labels.sum())}
            rows.append(row)
    return pd.DataFrame(rows)


def kept(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `promises` together over all parts and models: one a rule.

    ``broken`` counts the pairs of part and model where the promise is broken after Holm's
    correction over all pairs, by held-out and by test images.
    """
    rows = []
    for rule in dict.fromkeys(table.rule):
        own = table[table.rule == rule]
        row = {"rule": rule, "promise": own.promise.iloc[0], "pairs": len(own)}
        for name, total in (("held_out", "held_out"), ("test", "normal")):
            row[f"{name}_alarms"] = own[f"{name}_alarms"].sum()
            row[f"{name}_images"] = own[total].sum()
            row[f"{name}_rate"] = row[f"{name}_alarms"] / row[f"{name}_images"]
            p = own[f"{name}_p"].to_numpy()
            row[f"{name}_broken"] = np.nan if np.isnan(p).all() else (holm(p) < CERTAIN).sum()
        rows.append(row | {"recall": (own.hits / own.anomalous).mean()})
    return pd.DataFrame(rows)


def kept_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of `kept` as a page shows them."""
    shown = {"rule": rows.rule, "promises": rows.promise.map("{:.2%}".format)}
    for name, text in (("held_out", "held-out images"), ("test", "normal test images")):
        counts = zip(rows[f"{name}_alarms"], rows[f"{name}_images"], strict=True)
        rates = rows[f"{name}_rate"].map("{:.1%}".format)
        shown[f"false alarms, {text}"] = [
            f"{rate} ({alarms} of {images})"
            for rate, (alarms, images) in zip(rates, counts, strict=True)
        ]
        broken = rows[f"{name}_broken"]
        shown[f"broken, {text}"] = [
            "–" if pd.isna(count) else f"{count:.0f} of {pairs}"
            for count, pairs in zip(broken, rows.pairs, strict=True)
        ]
    return pd.DataFrame(shown | {"recall": rows.recall.map("{:.0%}".format)})


def numbers(rows: pd.DataFrame) -> Numbers:
    """Of the threshold rules over all parts; `rows` are of `kept`."""
    by_rule = rows.set_index("rule")
    made: Numbers = {"pairs": str(rows.pairs.iloc[0])}
    for word, rule in (("training", RULES[0]), ("sigma", RULES[2])):
        row = by_rule.loc[rule.name]
        made[f"{word}_held_out"] = f"{row.held_out_rate:.1%}"
        made[f"{word}_broken"] = f"{row.held_out_broken:.0f}"
    conformal = by_rule.loc[RULES[4].name]
    made["conformal_test"] = f"{conformal.test_rate:.1%}"
    return made | {"conformal_broken": f"{conformal.test_broken:.0f}"}

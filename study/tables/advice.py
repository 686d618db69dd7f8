"""Which model to use: recall at few false alarms against the time of one image."""

import numpy as np
import pandas as pd

from study.names import KINDS, LARGER, LARGER_HELD_OUT, MAIN, name_of, plain
from study.tables.decisions import recall_by_alarms
from study.tables.reference import RULES, of_model, scores_of, select
from study.tables.text import Numbers

MOST = 0.05
"""False alarms that a line can live with."""
RULE = RULES[4]
"""The conformal rule at this rate, from held-out normal images."""


def ceiling(labels: np.ndarray, scores: np.ndarray) -> float:
    """The highest recall at `MOST` false alarms or fewer, the threshold chosen by these scores."""
    return float(recall_by_alarms(labels, scores)[int(MOST * (labels == 0).sum())])


def choices(scores: pd.DataFrame, nominal: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """A row a part and model: ``ceiling``, and ``recall`` and ``fpr`` by the conformal rule.

    The ceiling is of seed 0 of the plain run; the rule learns from a held-out fifth of the
    training images. ``milliseconds`` of one image on one thread are of `benchmarks.form_latencies`.
    """
    single = times[(times.form == "float32") & (times.threads == 1)].set_index("model")["median"]
    rows = []
    for model, variant in KINDS:
        without = LARGER_HELD_OUT if variant == LARGER else RULE.variant
        for category in scores.category.unique():
            which = {"category": category} | of_model(model, MAIN)
            labels, values = scores_of(scores, variant=variant, **which)
            row = {"category": category, "model": model, "variant": variant}
            row["ceiling"] = ceiling(labels, values[0])
            learned = select(nominal, variant=without, images="held-out", seed=0, **which).score
            above = (
                scores_of(scores, variant=without, **which)[1][0]
                > RULE.rule.fit(learned.to_numpy()).threshold_
            )
            row |= {"recall": above[labels == 1].mean(), "fpr": above[labels == 0].mean()}
            word = model if variant == "plain" else f"{model}, {variant}"
            rows.append(row | {"milliseconds": single[word]})
    return pd.DataFrame(rows)


def means(table: pd.DataFrame) -> pd.DataFrame:
    """The mean over parts of the rows of `choices`, a row a model."""
    columns = ["ceiling", "recall", "fpr", "milliseconds"]
    return table.groupby(["model", "variant"], sort=False)[columns].mean().reset_index()


def by_part(table: pd.DataFrame) -> pd.DataFrame:
    """Recall and false alarms, a row a part and a column a model, as a page shows them."""
    cells = [f"{row.recall:.0%} at {row.fpr:.0%}" for row in table.itertuples()]
    named = table.assign(
        cell=cells, who=[name_of(row.model, row.variant) for row in table.itertuples()]
    )
    wide = named.pivot(index="category", columns="who", values="cell")
    return wide[list(dict.fromkeys(named.who))].reset_index()


def numbers(table: pd.DataFrame) -> Numbers:
    """Of the page on one's own parts, by model; *larger* is PatchCore with larger images."""
    made: Numbers = {"parts": str(table.category.nunique())}
    for row in means(table).itertuples():
        word = "larger" if row.variant == LARGER else row.model
        made |= {f"{word}_recall": f"{row.recall:.0%}", f"{word}_fpr": f"{row.fpr:.0%}"}
        made[f"{word}_ms"] = f"{row.milliseconds:.0f}"
    larger = table[table.variant == LARGER].set_index("category").recall
    for word, part in (("worst", larger.idxmin()), ("best", larger.idxmax())):
        made[f"larger_{word}"] = f"{larger[part]:.0%} ({plain(part)})"
    return made

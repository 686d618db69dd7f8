"""What each layer of the backbone brings: both against either alone, part by part."""

import pandas as pd

from study.names import plain
from study.tables.across_parts import difference_over_parts
from study.tables.claims import judged
from study.tables.comparisons import compare
from study.tables.reference import of_model
from study.tables.text import Numbers, change_of, interval_text, p_value

LAYERS = ("layer2", "layer3")
MODELS = ("combined", "patchcore")


def both_against_one(scores: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """Both layers less one alone, on the same images and seed 0: a row a part, model and layer.

    ``difference`` with ``low`` and ``high`` of its bootstrap interval, ``p`` of DeLong's test.
    """
    first = scores[scores.seed == 0]
    rows = []
    for category in first.category.unique():
        for model in MODELS:
            which = {"category": category} | of_model(model, backbone)
            for layer in LAYERS:
                found = compare(first, which, which | {"variant": layer})
                rows.append({"category": category, "model": model, "than": layer} | found._asdict())
    return pd.DataFrame(rows)


def numbers(scores: pd.DataFrame, table: pd.DataFrame, backbone: str) -> Numbers:
    """For the text; `table` is of `both_against_one`.

    By ``<model>_<layer>``, the mean difference over parts; with ``_helps`` and ``_harms``, the
    parts where the interval of the difference lies above or below zero; with the part before it
    and ``_gain`` behind it, that of one part.
    """
    first = scores[scores.seed == 0]
    made: Numbers = {}
    for (model, layer), rows in table.groupby(["model", "than"]):
        name = f"{model}_{layer}"
        both = judged(first, model, backbone), judged(first, model, backbone, variant=layer)
        made[name] = interval_text(difference_over_parts(*both), "+")
        for word, there in (("helps", rows.low > 0), ("harms", rows.high < 0)):
            made[f"{name}_{word}"] = ", ".join(map(plain, rows.category[there])) or "none"
        for row in rows.itertuples():
            made[f"{row.category}_{name}_gain"] = change_of(row)
    return made


def weights(scores: pd.DataFrame, backbone: str, other: str, **which: str) -> str:
    """What other weights change, with layer2 alone: seed 0 of a model on a part, with interval."""
    first = scores[scores.seed == 0]
    alone = which | {"backbone": backbone, "variant": LAYERS[0]}
    return change_of(compare(first, alone, which | {"backbone": other}))


def as_shown(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `both_against_one` as a page shows them."""
    rows = table.assign(gain=[change_of(row) for row in table.itertuples()])
    rows["p"] = table.p.map(p_value)
    return rows[["category", "model", "than", "gain", "p"]].rename(
        columns={"than": "both less", "gain": "difference in AUROC"}
    )

"""What each layer of the backbone brings: both against either alone, and by rarity and code."""

import pandas as pd

from anomalylib.metrics.intervals import Interval, auroc_interval
from study.names import plain
from study.tables.across_parts import difference_over_parts
from study.tables.claims import scored
from study.tables.comparisons import compare
from study.tables.reference import of_model, wins_of
from study.tables.text import Numbers, change_of, interval_text, p_value

LAYERS = ("layer2", "layer3")
MODELS = ("combined", "patchcore")
CHOICES = {"layer2,layer3": "both", "layer2": "layer2", "layer3": "layer3"}
"""The layers of the tables ``layers`` and ``layer_scores``, and what a page calls them."""
RARE = 0.99
"""Patches are called rare that are rarer than this share of the normal test patches."""


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
        both = scored(first, model, backbone), scored(first, model, backbone, variant=layer)
        made[name] = interval_text(difference_over_parts(*both), "+")
        for word, there in (("helps", rows.low > 0), ("harms", rows.high < 0)):
            made[f"{name}_{word}"] = ", ".join(map(plain, rows.category[there])) or "none"
        for row in rows.itertuples():
            made[f"{row.category}_{name}_gain"] = change_of(row)
    return made


def backbones(scores: pd.DataFrame, backbone: str, other: str) -> pd.DataFrame:
    """Both layers of one backbone against layer2 of another, told apart: a row a part and model.

    ``total`` is the sum of ``weights``, layer2 of the first less that of the other, and of
    ``layers``, both layers of the first less its layer2; each of seed 0, on the same images, with
    ``_low`` and ``_high``. Parts where the other was not measured are left out.
    """
    first = scores[scores.seed == 0]
    rows = []
    for category in first.category.unique():
        for model in MODELS:
            which = {"category": category, "model": model, "backbone": backbone}
            before = which | {"backbone": other}
            there = (first.category == category) & (first.model == model)
            if not (first.backbone[there] == other).any():
                continue
            alone = which | {"variant": LAYERS[0]}
            row = {"category": category, "model": model}
            steps = {"total": (which, before), "weights": (alone, before), "layers": (which, alone)}
            for name, pair in steps.items():
                found = compare(first, *pair)
                ends = {f"{name}_low": found.low, f"{name}_high": found.high}
                row |= {name: found.difference} | ends
            rows.append(row)
    return pd.DataFrame(rows)


def backbones_shown(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `backbones` as a page shows them."""
    shown = {"category": table.category, "model": table.model}
    for name in ("total", "weights", "layers"):
        ends = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        shown[name] = [interval_text(Interval(*each), "+") for each in ends]
    return pd.DataFrame(shown)


def backbone_numbers(table: pd.DataFrame) -> Numbers:
    """For the text, of `backbones`: by model, the parts where the first is better, and worse."""
    made: Numbers = {}
    for model, rows in table.groupby("model"):
        for word, there in (("better", rows.total_low > 0), ("worse", rows.total_high < 0)):
            made[f"{model}_{word}"] = ", ".join(map(plain, rows.category[there])) or "none"
    return made


def as_shown(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `both_against_one` as a page shows them."""
    rows = table.assign(gain=[change_of(row) for row in table.itertuples()])
    rows["p"] = table.p.map(p_value)
    return rows[["category", "model", "than", "gain", "p"]].rename(
        columns={"than": "both less", "gain": "difference in AUROC"}
    )


def rarity_numbers(bins: pd.DataFrame) -> Numbers:
    """For the text, of the rows of ``layers`` of one part and code: mean errors of rare patches.

    By layers, of normal patches and of those as rare that a defect touches, and their ratio.
    """
    made: Numbers = {}
    there = bins[(bins.above >= RARE) & (bins.patches > 0)]
    for chosen, rows in there.assign(total=there.error * there.patches).groupby("layers"):
        sums = rows.groupby("kind")[["total", "patches"]].sum()
        means = sums.total / sums.patches
        made |= {f"rare_{kind}_{CHOICES[chosen]}": f"{means[kind]:.2f}" for kind in means.index}
        made[f"rare_ratio_{CHOICES[chosen]}"] = f"{means.defect / means.normal:.2f}"
    return made


def code_numbers(scores: pd.DataFrame) -> Numbers:
    """For the text, of ``layer_scores``: the widest code less the narrowest, by part and layers."""
    widths = sorted(scores.latent.unique())
    made: Numbers = {}
    for (category, chosen), own in scores.groupby(["category", "layers"], sort=False):
        change = compare(own, {"latent": widths[-1]}, {"latent": widths[0]})
        made[f"{category}_{CHOICES[chosen]}_wider"] = change_of(change)
    return made


def codes(scores: pd.DataFrame) -> pd.DataFrame:
    """AUROC by the channels of FeatCAE's code, of ``layer_scores``: a row a part and layers.

    Last, the widest code less the narrowest on the same images.
    """
    widths = sorted(scores.latent.unique())
    rows = []
    for (category, chosen), own in scores.groupby(["category", "layers"], sort=False):
        row = {"category": category, "layers": CHOICES[chosen]}
        row |= {f"{n}": interval_text(auroc_interval(wins_of(own, latent=n))) for n in widths}
        change = compare(own, {"latent": widths[-1]}, {"latent": widths[0]})
        rows.append(row | {f"{widths[-1]} less {widths[0]}": change_of(change)})
    return pd.DataFrame(rows)

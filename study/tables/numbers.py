"""The numbers in the text of the chapters on the reference results, a function a chapter.

Each returns them by the names that the prose puts them in with; see `text.put`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from anomalylib.metrics.intervals import Interval
from study.names import CLAIMS, CONTROL, KINDS, LARGER, MAIN, MODELS, NORMALISED, REPORTED, plain
from study.tables import claims, comparisons
from study.tables.across_parts import difference_over_parts, mean_over_parts
from study.tables.comparisons import between_variants, by_defect_type, seed_spread
from study.tables.light import lit_unlike
from study.tables.reference import CONTROLS, RULES, of_model, scores_of, select
from study.tables.text import (
    Numbers,
    change_of,
    decided,
    interval_text,
    p_value,
    with_interval,
)


def row_of(summary: pd.DataFrame, category: str, model: str, **which: str) -> pd.Series:
    """The row of a model with the main backbone, or of a control."""
    return comparisons.row_of(summary, category=category, **of_model(model, MAIN), **which)


def auroc(summary: pd.DataFrame, category: str, model: str, **which: str) -> str:
    """Mean AUROC of a model with the main backbone, or of a control, with its interval."""
    return with_interval(row_of(summary, category, model, **which))


def normal_counts(scores: pd.DataFrame) -> Numbers:
    """How many normal test images each category has."""
    rows = scores[(scores.model == CONTROL) & (scores.variant == "plain") & (scores.label == 0)]
    return {f"{name}_normal": str(count) for name, count in rows.groupby("category").size().items()}


def of_parts(summary: pd.DataFrame) -> Numbers:
    """The AUROC of every row of the summary, and what the report's threshold gives.

    By ``<part>_<model>``, with ``_<backbone>`` behind it where that is not the main one and
    ``_<variant>`` where it is not the plain one, *larger* for patchcore with larger images. The
    threshold's rates have ``_recall``, ``_fpr`` and ``_bound``, of the latter, behind it.
    """
    numbers: Numbers = {}
    for row in summary.itertuples():
        variant = {"plain": "", LARGER: "larger"}.get(row.variant, row.variant)
        words = [row.category, row.model if variant != "larger" else "", variant]
        words.insert(2, row.backbone if row.backbone != MAIN else "")
        name = "_".join(word.replace(" ", "_") for word in words if word)
        numbers[name] = with_interval(row)
        if pd.notna(row.recall):
            rates = {"recall": row.recall, "fpr": row.fpr, "bound": row.fpr_ci_high}
            numbers |= {f"{name}_{rate}": f"{value:.0%}" for rate, value in rates.items()}
    return numbers


def across_parts(scores: pd.DataFrame, summary: pd.DataFrame) -> Numbers:
    """Of every model the mean over parts, as ``mean_<model>``, and its best and worst part.

    With what the report's threshold gives with *combined*, and the parts that are lit unlike.
    """
    numbers: Numbers = {"parts": str(scores.category.nunique())}
    combined = select(summary, variant="plain", **of_model("combined", MAIN)).set_index("category")
    for rate in ("recall", "fpr"):
        ordered = combined[rate].sort_values()
        for word, part in (("low", ordered.index[0]), ("high", ordered.index[-1])):
            numbers[f"{rate}_{word}"] = f"{ordered[part]:.0%} ({plain(part)})"
    lit = lit_unlike(summary)
    pairs = [f"{plain(row.category)} ({row.auroc_mean:.3f})" for row in lit.itertuples()]
    numbers["lit"] = " and ".join(pairs) or "none"
    for model, variant in (*KINDS, (CONTROL, "plain")):
        name = model.replace(" ", "_") if variant == "plain" else "larger"
        mean = mean_over_parts(claims.scored(scores, model, MAIN, variant=variant))
        rows = select(summary, variant=variant, **of_model(model, MAIN)).set_index("category")
        ordered = rows.auroc_mean.sort_values()
        for word, part in (("worst", ordered.index[0]), ("best", ordered.index[-1])):
            numbers[f"{word}_{name}"] = f"{ordered[part]:.3f} ({plain(part)})"
        numbers[f"mean_{name}"] = interval_text(mean)
    return numbers


def claimed() -> Numbers:
    """What the report claims."""
    return {f"claim_{model}": f"{value:g}" for model, value in CLAIMS.items()}


def gains(scores: pd.DataFrame, backbone: str = MAIN) -> Numbers:
    """Mean differences over parts, by the model that is added."""
    parts = claims.parts_of(scores, "combined", backbone)
    of = {model: claims.scored(scores, model, backbone, parts) for model in MODELS}
    pairs = {"features": ("resnet", "autoencoder"), "featcae": ("combined", "resnet")}
    pairs["patchcore"] = ("patchcore", "combined")
    return {
        f"gain_{name}": interval_text(difference_over_parts(of[first], of[second]), "+")
        for name, (first, second) in pairs.items()
    }


def task(summary: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[Numbers, pd.DataFrame]:
    """Of the page on the task, and the table of its images: a row a part."""
    rows = []
    for name, each in provenance["data"].items():
        counts = dict(each["images"])
        row = {"category": name, "training": counts.pop("train/good")}
        row |= {"test, normal": counts.pop("test/good"), "test, anomalous": sum(counts.values())}
        kinds = [plain(folder.rpartition("/")[2]) for folder in counts]
        rows.append(row | {"defect types": ", ".join(kinds)})
    images = pd.DataFrame(rows)
    return of_parts(select(summary, model=CONTROL)) | {"parts": str(len(rows))}, images


def category(scores: pd.DataFrame, summary: pd.DataFrame, name: str) -> Numbers:
    """Of the page of one part."""
    numbers: Numbers = {"normal": normal_counts(scores)[f"{name}_normal"]}
    numbers["brightness"] = auroc(summary, name, CONTROL)
    for model, variant in KINDS:
        row = row_of(summary, name, model, variant=variant)
        word = model if variant == "plain" else "larger"
        both = Interval(row.auroc_mean, row.auroc_both_low, row.auroc_both_high)
        numbers[f"{word}_both"] = interval_text(both).partition(" ")[2]
        recall = "–" if pd.isna(row.recall) else f"{row.recall:.0%}"
        numbers |= {word: with_interval(row), f"{word}_recall": recall}
        numbers[f"{word}_count"] = str(row.n_seeds)
    return numbers | {"bound": f"{row_of(summary, name, 'combined').fpr_ci_high:.0%}"}


def tables(scores: pd.DataFrame, summary: pd.DataFrame, pixel: pd.DataFrame) -> Numbers:
    """Of the page with all tables."""
    nut = row_of(summary, "metal_nut", "autoencoder")
    numbers = {"f1_ae": nut.f1max_mean, "auroc_ae": nut.auroc_mean, "ap_ae": nut.ap_mean}
    for short, part, model in (("ae", "metal_nut", "autoencoder"), ("screw", "screw", "combined")):
        which = {"category": part, "variant": "plain"} | of_model(model, MAIN)
        found = select(pixel, **which).iloc[0]
        numbers[f"{short}_image"] = auroc(summary, part, model)
        for word, column in (("pixel", "pixel_auroc"), ("pro", "aupro")):
            numbers[f"{short}_{word}"] = interval_text(_ends(found, column))
    return numbers


def pixel_table(pixel: pd.DataFrame) -> pd.DataFrame:
    """Pixel AUROC and AU-PRO with their intervals, as a page shows them."""
    shown = pixel[["category", "model", "variant", "backbone"]].copy()
    for column, title in (("pixel_auroc", "pixel AUROC"), ("aupro", "AU-PRO")):
        shown[title] = [interval_text(_ends(row, column)) for _, row in pixel.iterrows()]
    return shown


def _ends(row: pd.Series, column: str) -> Interval:
    return Interval(row[column], row[f"{column}_low"], row[f"{column}_high"])


def below_chance(
    scores: pd.DataFrame,
    summary: pd.DataFrame,
    training: pd.DataFrame,
    places: pd.DataFrame,
    published: pd.DataFrame,
) -> Numbers:
    """Of the chapter on the autoencoder below chance."""
    numbers: Numbers = {"nut": auroc(summary, "metal_nut", "autoencoder")}
    for column in ("score_top10", "score_mean", "score_max"):
        for name in REPORTED:
            seeds = seed_spread(scores, column, category=name, model="autoencoder")
            numbers[f"{name}_{column}"] = f"{seeds.min():.2f} to {seeds.max():.2f}"
    nut = places[(places.category == "metal_nut") & places.inside.notna()]
    for kind, rows in nut[nut.model == "autoencoder"].groupby("defect_type"):
        numbers[f"top_{kind}"] = f"{rows.top_inside.mean():.1%}"
    for model in ("autoencoder", "combined"):
        rows = nut[(nut.model == model) & (nut.backbone == of_model(model, MAIN)["backbone"])]
        shares = (rows.inside > rows.usual).groupby(rows.seed).mean().agg(["min", "max"])
        numbers[f"more_{model}"] = " to ".join(dict.fromkeys(map("{:.0%}".format, shares)))
        numbers[f"top_{model}"] = f"{rows.top_inside.mean():.0%}"
        numbers[f"outside_{model}"] = f"{1 - rows.top_inside.mean():.0%}"
    kinds = by_defect_type(scores, MAIN).set_index(["category", "defect_type", "model"]).auroc
    numbers["flip"] = kinds["metal_nut", "flip", "autoencoder"]
    _, contrast = scores_of(scores, category="metal_nut", model="contrast")
    for name, column in (("contrast", "score_mean"), ("contrast_top", "score_top10")):
        labels, values = scores_of(scores, column, category="metal_nut", model="autoencoder")
        errors, normal = values.mean(axis=0), labels == 0
        correlation = spearmanr(errors[normal], contrast[0, normal]).statistic
        numbers[f"metal_nut_{name}"] = f"{correlation:.2f}"
    change = between_variants(scores, NORMALISED, MAIN).set_index(["category", "model"])
    for short, name in (("nut", "metal_nut"), ("screw", "screw")):
        row = change.loc[(name, "autoencoder")]
        numbers |= {f"{short}_before": row.before, f"{short}_after": row.after}
        numbers |= {f"{short}_p": p_value(row.p), f"{short}_change": change_of(row)}
    contrast = change.loc[("metal_nut", "contrast")]
    numbers |= {"contrast_before": contrast.before, "contrast_after": contrast.after}
    watched = training[(training.category == "screw") & (training.aggregation == "all")]
    by_epoch = watched.groupby("epoch")[["auroc", "spearman_grey"]].agg(["mean", "min", "max"])
    first, tenth, last = (by_epoch.loc[epoch] for epoch in (1, 10, 40))
    numbers |= {"first": first["auroc", "mean"], "first_grey": first["spearman_grey", "mean"]}
    for name, column in (("tenth", "auroc"), ("grey", "spearman_grey")):
        numbers |= {f"{name}_low": tenth[column, "min"], f"{name}_high": tenth[column, "max"]}
    numbers["ganomaly"] = published.set_index("method").screw["GANomaly"]
    return numbers | {"last": last["auroc", "mean"]}


def error_places(places: pd.DataFrame) -> pd.DataFrame:
    """Where the autoencoder's error is, by category and defect type."""
    rows = places[(places.model == "autoencoder") & places.inside.notna()]
    groups = rows.assign(ratio=rows.inside / rows.usual).groupby(["category", "defect_type"])
    means = {"top_inside": ("top_inside", "mean"), "area": ("area", "mean")}
    return groups.agg(**means, inside_over_usual=("ratio", "median")).reset_index()


def published(literature: pd.DataFrame) -> Numbers:
    """Of the page beside published methods."""
    best = literature.sort_values("screw").drop_duplicates("method", keep="last")
    by_method = best.set_index("method").screw
    numbers: Numbers = {"dfr_screw": by_method["DFR"], "fre_screw": by_method["FRE (linear)"]}
    for word, method in (("low", by_method.idxmin()), ("high", by_method.idxmax())):
        numbers[f"published_{word}"] = f"{by_method[method]:.3f} ({method})"
    return numbers


def width_of_chance(scores: pd.DataFrame) -> Numbers:
    """AUROCs of *combined* on the report's parts against shuffled labels."""
    numbers: Numbers = {}
    for name in REPORTED:
        drawn = comparisons.shuffled(scores, category=name, **of_model("combined", MAIN))
        low, high = np.quantile(drawn, [0.025, 0.975])
        numbers[f"{name}_shuffled"] = f"{drawn.mean():.3f}, 95 % of them in [{low:.3f}, {high:.3f}]"
    return numbers


def changes(scores: pd.DataFrame, variant: str, backbone: str = MAIN) -> pd.DataFrame:
    """Every model and control in one variant against itself as it is, as a page shows it."""
    table = between_variants(scores, variant, backbone)
    table = table[table.model.isin([*MODELS, *CONTROLS])]
    return table.assign(p=table.p.map(p_value)).drop(columns="backbone")


def limits(
    scores: pd.DataFrame,
    summary: pd.DataFrame,
    decisions: pd.DataFrame,
    levels: pd.DataFrame,
    training: pd.DataFrame,
) -> Numbers:
    """Of the chapter on the limits; `levels` are the settings of combined on screw."""
    nut = row_of(summary, "metal_nut", "autoencoder")
    tenth = training[(training.category == "screw") & (training.aggregation == "all")]
    tenth = tenth[tenth.epoch == 10].auroc
    usual, counts = levels.usual.astype(bool), normal_counts(scores)
    by_k = levels[levels.factor == "aggregation"].set_index("value").auroc
    return {
        "grey": row_of(summary, "screw", CONTROL).auroc_mean,
        "f1": nut.f1max_mean,
        "ae": nut.auroc_mean,
        "seed_low": f"{tenth.min():.2f}",
        "seed_high": f"{tenth.max():.2f}",
        "usual": levels[usual].auroc.iloc[0],
        "picked": levels.auroc.max(),
        "mean_of_map": by_k["mean"],
        "levels": str((~usual).sum() + 1),
        **decided(decisions[decisions.backbone == MAIN], {"original": RULES[0].name}),
        "fewest": min(counts.values(), key=int),
        "most": max(counts.values(), key=int),
        **counts,
    }

"""The numbers in the text of the page on screws, and of that on what was tried."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from study.names import LARGER, MAIN, NORMALISED, plain
from study.tables.across_parts import holm, mean_over_parts
from study.tables.claims import scored
from study.tables.comparisons import Comparison, between_variants, by_defect_type, compare
from study.tables.numbers import auroc
from study.tables.numbers import row_of as main_row
from study.tables.reference import of_model, select
from study.tables.text import Numbers, change_of, interval_text, p_value, with_p

KNN, BASE, CHOSEN = "kNN reconstruction", "as in combined", "as chosen"
FINER, RANDOM = ("FeatCAE", "384 pixels"), (KNN, "bank at random")
PANELS = {FINER: "FeatCAE", RANDOM: "random bank", (KNN, CHOSEN): KNN}
"""The trials whose errors are drawn by rarity, and what their panels are called."""


def gap(scores: pd.DataFrame, summary: pd.DataFrame, places: pd.DataFrame) -> Numbers:
    """How combined and PatchCore fare on screw with the main backbone."""
    models = ("combined", "patchcore")
    numbers: Numbers = {model: auroc(summary, "screw", model) for model in models}
    combined, patchcore = ({"category": "screw"} | of_model(each, MAIN) for each in models[:2])
    numbers["gap"] = with_p(compare(scores, patchcore, combined))
    matched = ({"category": "screw", "variant": NORMALISED} | of_model(m, MAIN) for m in models)
    numbers["gap_matched"] = with_p(compare(scores, *list(matched)[::-1]))
    own = scores[scores.category == "screw"]
    light = between_variants(own, NORMALISED, MAIN).set_index(["category", "model"])
    numbers["light"] = change_of(light.loc[("screw", "combined")])
    types = select(by_defect_type(own, MAIN), model="combined").auroc
    numbers |= {"worst_type": types.min(), "best_type": types.max()}
    known = places[places.inside.notna() & (places.category == "screw")]
    for name, rows in known[known.backbone == MAIN].groupby("model"):
        size = main_row(summary, "screw", name).image_size
        cells = rows.area * (size / 8) ** 2  # layer2 has a cell for 8 pixels
        possible = np.minimum(cells, 10) / 10
        numbers[f"{name}_top"] = f"{rows.top_inside.mean() / possible.mean():.0%}"
        numbers[f"{name}_cells"] = f"{cells.median():.0f}"
    return numbers


def knn_reconstruction(scores: pd.DataFrame, summary: pd.DataFrame) -> Numbers:
    """How kNN reconstruction fares beside PatchCore at its size, over the parts."""
    same = scores[scores.seed.isin(scores[scores.variant == LARGER].seed.unique())]
    pairs = {part: against_patchcore(same, part) for part in summary.category.unique()}
    clearest = min(pairs, key=lambda part: pairs[part].p)
    corrected = holm(np.array([pair.p for pair in pairs.values()])).min()
    numbers: Numbers = {"clearest": with_p(pairs[clearest]), "clearest_part": plain(clearest)}
    for word, model, variant in (
        ("knn", "knn_reconstruction", "plain"),
        ("larger", "patchcore", LARGER),
    ):
        mean = mean_over_parts(scored(scores, model, MAIN, variant=variant))
        numbers[f"mean_{word}"] = interval_text(mean)
    return numbers | {"pairs": str(len(pairs)), "corrected": p_value(corrected)}


def against_patchcore(scores: pd.DataFrame, category: str, variant: str = LARGER) -> Comparison:
    """KNN reconstruction less PatchCore, at the same image size if not said otherwise."""
    ours = {"category": category} | of_model("knn_reconstruction", MAIN)
    return compare(scores, ours, ours | {"model": "patchcore", "variant": variant})


def tried(trials: pd.DataFrame) -> Numbers:
    """What came of the trials: on screw, and how far synthetic anomalies told it beforehand."""
    screw = trials[trials.category == "screw"].set_index(["family", "trial"]).plain
    numbers: Numbers = {
        "base_auroc": screw["FeatCAE", BASE],
        "random_auroc": screw[RANDOM],
        "relative_auroc": screw["FeatCAE", "error relative to like patches"],
        "chosen_auroc": screw[KNN, CHOSEN],
        "tried": str(len(screw)),
    }
    for name, rows in trials.groupby("category"):
        numbers[f"{name}_rank"] = f"{spearmanr(rows.pasted, rows.plain).statistic:.2f}"
    return numbers


def trial_table(trials: pd.DataFrame) -> pd.DataFrame:
    """All trials by three kinds of images on either part, as a page shows them."""
    values = {"pasted": "synthetic", "plain": "test", "brightness_normalised": "one grey"}
    wide = trials.pivot(index=["family", "trial"], columns="category", values=list(values))
    order = list(trials[["family", "trial"]].drop_duplicates().itertuples(index=False, name=None))
    wide = wide.loc[order].swaplevel(axis=1)[["screw", "metal_nut"]]
    wide.columns = [f"{name}: {values[what]}" for name, what in wide.columns]
    shown = wide.reset_index()
    shown["family"] = shown.family.where(~shown.family.duplicated(), "")
    return shown.rename(columns={"family": "", "trial": "with"})

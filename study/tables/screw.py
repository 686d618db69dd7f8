"""The numbers in the text of the chapter on where the models fail."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from study.names import CONTROL, LARGER, MAIN, plain
from study.tables.across_parts import holm
from study.tables.comparisons import Comparison, between_variants, by_defect_type, compare
from study.tables.numbers import auroc
from study.tables.numbers import row_of as main_row
from study.tables.reference import of_model, select
from study.tables.text import Numbers, change_of, p_value, with_p

KNN, BASE, CHOSEN = "kNN reconstruction", "as in combined", "as chosen"
FINER, RANDOM = ("FeatCAE", "384 pixels"), (KNN, "bank at random")
PANELS = {FINER: "FeatCAE", RANDOM: "random bank", (KNN, CHOSEN): KNN}
"""The trials whose errors are drawn by rarity, and what their panels are called."""
PARTS_AWAY = {
    "random": "bank at random",
    "drawn": "bank drawn, not spread",
    "chosen": CHOSEN,
    "uniform": "candidates at random",
    "small": "bank of 1,024",
    "large": "bank of 8,192",
    "224": "224 pixels",
    "320": "320 pixels",
    "448": "448 pixels",
    "one": "nearest patch alone",
    "three": "3 neighbours",
    "thirty": "30 neighbours",
}
"""Trials of kNN reconstruction that differ from it in one part, by the names that the prose has."""


def where_it_fails(scores: pd.DataFrame, summary: pd.DataFrame, places: pd.DataFrame) -> Numbers:
    """How combined, PatchCore and kNN reconstruction fare on screw with the main backbone."""
    models = ("combined", "patchcore", "knn_reconstruction")
    numbers: Numbers = {model: auroc(summary, "screw", model) for model in models}
    combined, patchcore = ({"category": "screw"} | of_model(each, MAIN) for each in models[:2])
    numbers["gap"] = with_p(compare(scores, patchcore, combined))
    own = scores[scores.category == "screw"]
    light = between_variants(own, "brightness-normalised", MAIN).set_index(["category", "model"])
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
    """How kNN reconstruction fares beside PatchCore at its size, and in one light."""
    numbers: Numbers = {}
    light = between_variants(scores, "brightness-normalised", MAIN).set_index(["category", "model"])
    seeds = scores[scores.variant == LARGER].seed.unique()
    same = scores[scores.seed.isin(seeds)]
    for name, category in (("nut", "metal_nut"), ("screw", "screw")):
        matched = auroc(summary, category, "knn_reconstruction", variant="brightness-normalised")
        numbers[f"{name}_matched"] = matched
        numbers[f"{name}_light"] = change_of(light.loc[(category, "knn_reconstruction")])
        numbers[f"{name}_same"] = with_p(against_patchcore(same, category))
    numbers["screw_usual"] = with_p(against_patchcore(same, "screw", "plain"))
    pairs = {part: against_patchcore(same, part) for part in summary.category.unique()}
    clearest = min(pairs, key=lambda part: pairs[part].p)
    corrected = holm(np.array([pair.p for pair in pairs.values()])).min()
    numbers |= {"clearest": with_p(pairs[clearest]), "clearest_part": plain(clearest)}
    numbers |= {"pairs": str(len(pairs)), "corrected": p_value(corrected)}
    numbers["contrast_left"] = auroc(summary, "screw", "contrast", variant="brightness-normalised")
    return numbers | {"larger_seeds": str(len(seeds))} | grey_rank(scores)


def against_patchcore(scores: pd.DataFrame, category: str, variant: str = LARGER) -> Comparison:
    """KNN reconstruction less PatchCore, at the same image size if not said otherwise."""
    ours = {"category": category} | of_model("knn_reconstruction", MAIN)
    return compare(scores, ours, ours | {"model": "patchcore", "variant": variant})


def grey_rank(scores: pd.DataFrame) -> Numbers:
    """Rank correlation of kNN reconstruction and brightness on normal screws, mean over seeds."""
    rows = scores[(scores.category == "screw") & (scores.variant == "plain") & (scores.label == 0)]
    grey = rows[rows.model == CONTROL].set_index("image").score_top10
    ranks = [
        spearmanr(seed.set_index("image").score_top10[grey.index], grey).statistic
        for _, seed in select(rows, **of_model("knn_reconstruction", MAIN)).groupby("seed")
    ]
    width = np.tanh(1.96 / np.sqrt(len(grey) - 3))  # Fisher's, around zero
    return {"grey_rank": f"{np.mean(ranks):+.2f}", "grey_width": f"{width:.2f}"}


def tried(trials: pd.DataFrame) -> Numbers:
    """What came of the trials: on screw, and how far pasted defects told it beforehand."""
    screw = trials[trials.category == "screw"].set_index(["family", "trial"]).plain
    numbers: Numbers = {
        "base_auroc": screw["FeatCAE", BASE],
        "cae_auroc": screw[FINER],
        "random_auroc": screw[RANDOM],
        "relative_auroc": screw["FeatCAE", "error relative to like patches"],
        "balanced_auroc": screw["FeatCAE", "rare patches trained as often"],
        "chosen_auroc": screw[KNN, CHOSEN],
        "tried": str(len(screw)),
    }
    numbers |= {f"part_{short}": screw[KNN, trial] for short, trial in PARTS_AWAY.items()}
    for name, rows in trials.groupby("category"):
        numbers[f"{name}_rank"] = f"{spearmanr(rows.pasted, rows.plain).statistic:.2f}"
    both = trials.groupby(["family", "trial"]).pasted.mean()
    numbers["mean_chosen"] = both[KNN, CHOSEN]
    better = both[both > both[KNN, CHOSEN]].sort_values(ascending=False)
    named = [f"{trial} ({value:.3f})" for (_, trial), value in better.items()]
    numbers["better"] = ", ".join(named) or "none"
    nut = trials[(trials.family == "FeatCAE") & (trials.category == "metal_nut")].set_index("trial")
    for short, trial in (("finer", FINER[1]), ("coarse", BASE)):
        numbers |= {f"{short}_pasted": nut.pasted[trial], f"{short}_plain": nut.plain[trial]}
    return numbers


def trial_table(trials: pd.DataFrame) -> pd.DataFrame:
    """All trials in three judgements on either part, as a page shows them."""
    values = {"pasted": "pasted", "plain": "test", "brightness_normalised": "one grey"}
    wide = trials.pivot(index=["family", "trial"], columns="category", values=list(values))
    order = list(trials[["family", "trial"]].drop_duplicates().itertuples(index=False, name=None))
    wide = wide.loc[order].swaplevel(axis=1)[["screw", "metal_nut"]]
    wide.columns = [f"{name}: {values[what]}" for name, what in wide.columns]
    shown = wide.reset_index()
    shown["family"] = shown.family.where(~shown.family.duplicated(), "")
    return shown.rename(columns={"family": "", "trial": "with"})

"""The numbers in the text of the page from score to decision."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from anomalylib.metrics.intervals import conformal_bound
from study.names import CONTROL, MAIN, MODELS, NORMALISED, label, plain
from study.tables import light, promises
from study.tables.reference import RULES, of_model, scores_of
from study.tables.text import Numbers, change_of, decided


def thresholds(scores: pd.DataFrame, decisions: pd.DataFrame, greys: pd.DataFrame) -> Numbers:
    """Of what the rules decide, and of the illumination."""
    rules = {"original": RULES[0].name, "quantile": RULES[1].name, "conformal": RULES[4].name}
    numbers: Numbers = decided(decisions[decisions.backbone.isin(["", MAIN])], rules)
    shifted = light.shift_numbers(light.shift(greys))["shifted"]
    bound = conformal_bound(int(numbers["metal_nut_combined_conformal_n"]), 0.05)
    grey = scores[(scores.model == CONTROL) & (scores.category == "screw")]
    test = grey[(grey.variant == "plain") & (grey.label == 0)].score_top10.mean()
    normalised = grey[grey.variant == NORMALISED]  # to the training images
    matched = normalised.score_top10.mean()
    means = {"grey_test": f"{test:.0f}", "grey_train": f"{matched:.0f}"}
    return numbers | means | {"spread": f"{bound:.0%}", "shifted": shifted}


def held_out(costs: pd.DataFrame) -> Numbers:
    """What a fifth fewer training images cost; `costs` is of `between_variants`."""
    costs = costs[costs.model.isin(MODELS)].set_index(["model", "category"])
    change = costs.difference.loc["combined"]
    lost = costs.difference.idxmin()
    numbers = {"least_combined": f"{change.min():+.3f}", "most_combined": f"{change.max():+.3f}"}
    where = f"{label(lost[0])} on {plain(lost[1])}"
    return numbers | {"most_lost": f"{change_of(costs.loc[lost])} ({where})"}


def promised(tried: pd.DataFrame) -> Numbers:
    """Of the threshold rules on single models and parts; `tried` is of `promises.promises`."""
    numbers: Numbers = {}
    for word, own in (("combined", True), ("others", False)):
        of_rule = promises.numbers(promises.kept(tried[(tried.model == "combined") == own]))
        numbers |= {f"{word}_{name}": value for name, value in of_rule.items()}
    conformal = tried[tried.rule.str.startswith("conformal")]
    worst = conformal.loc[conformal.test_p.idxmin()]
    rest = conformal.drop(worst.name)
    alarms = f"{worst.test_alarms} of {worst.normal}"
    numbers["worst"] = f"{label(worst.model)} on {plain(worst.category)}, {alarms}"
    numbers["rest"] = f"{rest.test_alarms.sum() / rest.normal.sum():.1%}"
    nut = conformal[(conformal.category == "metal_nut") & conformal.model.isin(MODELS)]
    counts = [f"{row.test_alarms} ({label(row.model)})" for row in nut.itertuples()]
    numbers["nut_conformal"] = f"{', '.join(counts)} of {nut.normal.iloc[0]}"
    means = (tried.hits / tried.anomalous).groupby(tried.rule).mean()
    rates = {"recall_training": RULES[0].name, "recall_held_out": RULES[2].name}
    return numbers | {word: f"{means[rule]:.0%}" for word, rule in rates.items()}


def recall_by_alarms(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The ROC curve at each number of false alarms: (M + 1,).

    For k of the M normal images above the threshold, the largest share of anomalous
    images above it; the last entry is 1.
    """
    normal = np.sort(scores[labels == 0])[::-1]  # (M,)
    anomalous = scores[labels == 1]
    return np.append((anomalous > normal[:, None]).mean(axis=1), 1.0)


def maps_differ(scores: pd.DataFrame, arrays: Mapping[str, np.ndarray]) -> str:
    """How far the scores of the runs that the kept maps are of lie from the table's, at most."""
    most = 0.0
    for name, values in arrays.items():
        if name.endswith(" scores"):
            category, model, _ = name.split()
            _, known = scores_of(scores, category=category, **of_model(model, MAIN))
            most = max(most, float(np.max(np.abs(values / known[0] - 1))))
    return f"{most:.1%}"

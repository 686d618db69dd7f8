"""Model against model, type against type, claim against number: read from the scores."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.metrics import image as metrics
from anomalylib.metrics import intervals
from study.names import CLAIMS, MODELS, plain
from study.tables.reference import RULES, SCORE, of_model, scores_of, select, wins_of
from study.tables.text import change_of, with_interval

CERTAIN = 0.05  # p value below which a paired difference counts


class Comparison(NamedTuple):
    """Two models on the same test images; the difference is the first less the second."""

    difference: float
    low: float
    high: float
    p: float


def compare(scores: pd.DataFrame, first: dict[str, str], second: dict[str, str]) -> Comparison:
    """Difference of two mean AUROCs, its bootstrap interval and DeLong's paired p.

    Both are named as for `scores_of`, and must have judged the same images.
    """
    wins, others = wins_of(scores, **first), wins_of(scores, **second)
    interval = intervals.difference_interval(wins, others)
    return Comparison(*interval, intervals.paired_p(wins, others))


def between_models(scores: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """Every model against the one before it, one row a category and pair.

    A model that was not measured with this backbone is left out.
    """
    there = set(scores.model[scores.backbone.isin(["", backbone])])
    models = [of_model(model, backbone) for model in MODELS if model in there]
    rows = []
    for category in scores.category.unique():
        own = {"category": category}
        for second, first in pairwise(models):
            found = compare(scores, own | first, own | second)
            pair = {"first": first["model"], "second": second["model"]}
            rows.append(own | pair | found._asdict())
    return pd.DataFrame(rows)


def between_variants(scores: pd.DataFrame, variant: str, backbone: str) -> pd.DataFrame:
    """Every model and control in one variant against itself as it is, on the same seeds."""
    there = scores[(scores.variant == variant) & scores.backbone.isin(["", backbone])]
    rows = []
    for key in there[["category", "model", "backbone"]].drop_duplicates().itertuples(index=False):
        own = key._asdict()
        seeds = select(there, **own).seed.unique()
        same = scores[scores.seed.isin(seeds)]
        found = compare(same, own | {"variant": variant}, own)
        before = wins_of(same, **own).mean()
        both = {"before": before, "after": before + found.difference}
        rows.append(own | both | found._asdict())
    return pd.DataFrame(rows)


def by_defect_type(scores: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """AUROC of each defect type against all normal images, mean over seeds."""
    usual = scores[(scores.variant == "plain") & scores.backbone.isin(["", backbone])]
    rows = []
    for (category, model), own in usual.groupby(["category", "model"], sort=False):
        normal = own[own.label == 0]
        for kind, anomalous in own[own.label == 1].groupby("defect_type"):
            found = [
                metrics.auroc(both.label.to_numpy(), both[SCORE].to_numpy())
                for _, both in pd.concat([normal, anomalous]).groupby("seed")
            ]
            row = {
                "category": category,
                "defect_type": kind,
                "model": model,
                "auroc": np.mean(found),
            }
            rows.append(row | {"images": anomalous.image.nunique()})
    return pd.DataFrame(rows)


def shuffled(scores: pd.DataFrame, draws: int = 2000, seed: int = 0, **which: str) -> np.ndarray:
    """AUROCs of seed 0 with its labels dealt anew: what a score that knows nothing gets."""
    labels, values = scores_of(scores, **which)
    random = np.random.default_rng(seed)
    dealt = np.array([random.permutation(labels) for _ in range(draws)])  # (D, N)
    ranks = stats.rankdata(values[0])  # (N,), ties share their mean
    anomalous = labels.sum()
    # Mann and Whitney: the mean rank of the anomalous images, less its least, over the normal ones
    return (dealt @ ranks / anomalous - (anomalous + 1) / 2) / (len(labels) - anomalous)


def verdicts(scores: pd.DataFrame, summary: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """Each claim of the original report against the numbers, one row a claim.

    A claim about a score holds in a category whose interval reaches it; one
    about an order, where the paired difference is positive with p below 0.05;
    the threshold, where recall is at least 0.9 and false alarms at most 0.05.
    """
    shown = summary[(summary.variant == "plain") & summary.backbone.isin(["", backbone])]
    low, high = CLAIMS["autoencoder"], CLAIMS["combined"]
    by_model = shown.set_index(["category", "model"])
    by_model["at_low"] = (by_model.auroc_ci_low <= low) & (by_model.auroc_ci_high >= low)
    by_model["at_high"] = by_model.auroc_ci_high >= high
    by_model["works"] = (by_model.recall >= 0.9) & (by_model.fpr <= 0.05)
    by_pair = between_models(scores, backbone).set_index(["category", "first"])
    by_pair["better"] = (by_pair.difference > 0) & (by_pair.p < CERTAIN)

    def of(table: pd.DataFrame, model: str) -> dict[str, pd.Series]:
        return {name: table.loc[(name, model)] for name in shown.category.unique()}

    alone, combined = of(by_model, "autoencoder"), of(by_model, "combined")
    features, both = of(by_pair, "resnet"), of(by_pair, "combined")
    better = "ResNet features alone: better than the autoencoder"
    rule = f"{RULES[0].name.split(',')[0]} of the errors: a threshold to work with"
    claims = (
        (f"autoencoder alone: AUROC about {low}", alone, "at_low", with_interval, "below_chance"),
        (better, features, "better", change_of, "measured"),
        (f"combined: AUROC about {high}", combined, "at_high", with_interval, "measured"),
        ("combined: better than ResNet features alone", both, "better", change_of, "measured"),
        (rule, combined, "works", _rates, "thresholds"),
    )
    made = []
    for claim, rows, holds, said, page in claims:
        where = [plain(name) for name, row in rows.items() if row[holds]]
        words = {0: "does not hold", len(rows): "holds"}
        verdict = words.get(len(where), f"holds in part: on {', '.join(where)}")
        numbers = {name: said(row) for name, row in rows.items()}
        made.append({"claim": claim, "verdict": verdict} | numbers | {"page": page})
    return pd.DataFrame(made)


def _rates(row: pd.Series) -> str:
    bounds = f"[at least {row.recall_ci_low:.0%}], false alarms {row.fpr:.1%}"
    return f"recall {row.recall:.0%} {bounds} [at most {row.fpr_ci_high:.0%}]"


def seed_spread(scores: pd.DataFrame, column: str = SCORE, **which: str) -> np.ndarray:
    """AUROC of each seed."""
    labels, values = scores_of(scores, column, **which)
    return np.array([metrics.auroc(labels, each) for each in values])


def row_of(summary: pd.DataFrame, **which: str) -> pd.Series:
    """The one row of a table with these values; plain runs where no variant is named."""
    return select(summary, **({"variant": "plain"} | which)).iloc[0]

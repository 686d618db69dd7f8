"""Model against model, variant against variant, type against type: read from the scores."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.metrics import image as metrics
from anomalylib.metrics import intervals
from study.names import MODELS
from study.tables.reference import SCORE, of_model, scores_of, select, wins_of


class Comparison(NamedTuple):
    """Two models on the same test images; the difference is the first less the second."""

    difference: float
    low: float
    high: float
    p: float


def compare(scores: pd.DataFrame, first: dict[str, str], second: dict[str, str]) -> Comparison:
    """Difference of two mean AUROCs, its bootstrap interval and DeLong's paired p.

    Both are named as for `scores_of`, and must have scored the same images.
    """
    wins, others = wins_of(scores, **first), wins_of(scores, **second)
    interval = intervals.difference_interval(wins, others)
    return Comparison(*interval, intervals.paired_p(wins, others))


def between_models(scores: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """Every model against the one before it, one row a category and pair.

    A model that was not measured with this backbone on a category is left out there.
    """
    plain = scores[(scores.variant == "plain") & scores.backbone.isin(["", backbone])]
    rows = []
    for category, own in plain.groupby("category", sort=False):
        if not (own.backbone == backbone).any():
            continue
        models = [of_model(model, backbone) for model in MODELS if model in set(own.model)]
        which = {"category": category}
        for second, first in pairwise(models):
            found = compare(scores, which | first, which | second)
            pair = {"first": first["model"], "second": second["model"]}
            rows.append(which | pair | found._asdict())
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
        values = own.pivot(index="image", columns="seed", values=SCORE)  # (N, S)
        of_image = own.drop_duplicates("image").set_index("image").loc[values.index]
        labels = of_image.label.to_numpy()  # (N,)
        kinds = of_image.defect_type.to_numpy()[labels == 1]  # (A,)
        wins = intervals.win_matrix(labels, values.to_numpy().T)  # (A, M)
        for kind in np.unique(kinds):
            row = {"category": category, "defect_type": kind, "model": model}
            rows.append(row | {"auroc": wins[kinds == kind].mean(), "images": sum(kinds == kind)})
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


def seed_spread(scores: pd.DataFrame, column: str = SCORE, **which: str) -> np.ndarray:
    """AUROC of each seed."""
    labels, values = scores_of(scores, column, **which)
    return np.array([metrics.auroc(labels, each) for each in values])


def row_of(summary: pd.DataFrame, **which: str) -> pd.Series:
    """The one row of a table with these values; plain runs where no variant is named."""
    return select(summary, **({"variant": "plain"} | which)).iloc[0]

"""Arm against arm, type against type, claim against number: read from the scores."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from anomalylib.metrics import image as metrics
from anomalylib.metrics import intervals
from study.names import ARMS, CLAIMS
from study.tables.reference import RULES, SCORE, scores_of, select, wins_of

CERTAIN = 0.05  # p value below which a paired difference counts


class Comparison(NamedTuple):
    """Two arms on the same test images; the difference is the first less the second."""

    difference: float
    low: float
    high: float
    p: float


def compare(scores: pd.DataFrame, first: dict[str, str], second: dict[str, str]) -> Comparison:
    """Difference of two mean AUROCs, its bootstrap interval and DeLong's paired p.

    Parameters
    ----------
    scores : DataFrame
        The table ``scores``.
    first, second : dict
        Which rows, as for `scores_of`; both must have judged the same images.
    """
    wins, others = wins_of(scores, **first), wins_of(scores, **second)
    return Comparison(*intervals.bootstrap(wins - others), intervals.paired_p(wins, others))


def between_arms(scores: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """Every arm against the one before it, one row a category and pair.

    An arm that was not measured with this backbone is left out.
    """
    there = set(scores.arm[scores.backbone == backbone])
    arms = [(ARMS[0], ""), *((arm, backbone) for arm in ARMS[1:] if arm in there)]
    rows = []
    for category in scores.category.unique():
        for (arm, own), (before, its) in zip(arms[1:], arms[:-1], strict=True):
            first = {"category": category, "arm": arm, "backbone": own}
            second = {"category": category, "arm": before, "backbone": its}
            found = compare(scores, first, second)
            rows.append({"category": category, "first": arm, "second": before} | found._asdict())
    return pd.DataFrame(rows)


def between_variants(scores: pd.DataFrame, variant: str, backbone: str) -> pd.DataFrame:
    """Every arm and control in one variant against itself as it is, on the same seeds."""
    there = scores[(scores.variant == variant) & scores.backbone.isin(["", backbone])]
    rows = []
    for key in there[["category", "arm", "backbone"]].drop_duplicates().itertuples(index=False):
        own = key._asdict()
        seeds = select(there, **own).seed.unique()
        same = scores[scores.seed.isin(seeds)]
        found = compare(same, own | {"variant": variant}, own)
        before = wins_of(same, **own).mean()
        row = own | {"before": before, "after": before + found.difference} | found._asdict()
        rows.append(row)
    return pd.DataFrame(rows)


def by_defect_type(scores: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """AUROC of each defect type against all normal images, mean over seeds."""
    plain = scores[(scores.variant == "plain") & scores.backbone.isin(["", backbone])]
    rows = []
    for (category, arm), own in plain.groupby(["category", "arm"], sort=False):
        normal = own[own.label == 0]
        for kind, anomalous in own[own.label == 1].groupby("defect_type"):
            found = [
                metrics.auroc(both.label.to_numpy(), both[SCORE].to_numpy())
                for _, both in pd.concat([normal, anomalous]).groupby("seed")
            ]
            row = {"category": category, "defect_type": kind, "arm": arm, "auroc": np.mean(found)}
            rows.append(row | {"images": anomalous.image.nunique()})
    return pd.DataFrame(rows)


def shuffled(scores: pd.DataFrame, draws: int = 2000, seed: int = 0, **which: str) -> np.ndarray:
    """AUROCs of seed 0 with its labels dealt anew: what a score that knows nothing gets."""
    labels, values = scores_of(scores, **which)
    random = np.random.default_rng(seed)
    return np.array([metrics.auroc(random.permutation(labels), values[0]) for _ in range(draws)])


def verdicts(scores: pd.DataFrame, summary: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """Each claim of the original report against the numbers, one row a claim.

    A claim about a score holds in a category whose interval reaches it; one
    about an order, where the paired difference is positive with p below 0.05;
    the threshold, where recall is at least 0.9 and false alarms at most 0.05.
    """
    shown = summary[(summary.variant == "plain") & summary.backbone.isin(["", backbone])]
    rows = {row.category: {} for row in shown.itertuples()}
    for row in shown.itertuples():
        rows[row.category][row.arm] = row
    pairs = between_arms(scores, backbone).set_index(["category", "first"])
    made = [
        _claim(
            f"autoencoder alone: AUROC about {CLAIMS['autoencoder']}",
            {
                name: _reaches(own["autoencoder"], CLAIMS["autoencoder"])
                for name, own in rows.items()
            },
            {name: _said(own["autoencoder"]) for name, own in rows.items()},
            "below_chance",
        ),
        _claim(
            "ResNet features alone: better than the autoencoder",
            {name: _above(pairs.loc[(name, "resnet")]) for name in rows},
            {name: _gain(pairs.loc[(name, "resnet")]) for name in rows},
            "measured",
        ),
        _claim(
            f"combined: AUROC about {CLAIMS['combined']}",
            {
                name: own["combined"].auroc_ci_high >= CLAIMS["combined"]
                for name, own in rows.items()
            },
            {name: _said(own["combined"]) for name, own in rows.items()},
            "measured",
        ),
        _claim(
            "combined: better than ResNet features alone",
            {name: _above(pairs.loc[(name, "combined")]) for name in rows},
            {name: _gain(pairs.loc[(name, "combined")]) for name in rows},
            "measured",
        ),
        _claim(
            f"{RULES[0].name.split(',')[0]} of the errors: a threshold to work with",
            {name: _works(own["combined"]) for name, own in rows.items()},
            {name: _rates(own["combined"]) for name, own in rows.items()},
            "thresholds",
        ),
    ]
    return pd.DataFrame(made)


def _claim(claim: str, held: dict[str, bool], numbers: dict[str, str], page: str) -> dict:
    """One row: the verdict follows from the number of categories in which it holds."""
    count = sum(map(bool, held.values()))
    words = {0: "does not hold", len(held): "holds"}
    where = [name.replace("_", " ") for name, holds in held.items() if holds]
    verdict = words.get(count, f"holds in part: on {', '.join(where)}")
    return {"claim": claim, "verdict": verdict} | numbers | {"page": page}


def _reaches(row, value: float) -> bool:
    return row.auroc_ci_low <= value <= row.auroc_ci_high


def _above(pair: pd.Series) -> bool:
    return pair.difference > 0 and pair.p < CERTAIN


def _works(row) -> bool:
    return row.recall >= 0.9 and row.fpr <= 0.05


def _said(row) -> str:
    return f"{row.auroc_mean:.3f} [{row.auroc_ci_low:.3f}, {row.auroc_ci_high:.3f}]"


def _gain(pair: pd.Series) -> str:
    return f"{pair.difference:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}]"


def _rates(row) -> str:
    bounds = f"[at least {row.recall_ci_low:.0%}], false alarms {row.fpr:.1%}"
    return f"recall {row.recall:.0%} {bounds} [at most {row.fpr_ci_high:.0%}]"


def seed_spread(scores: pd.DataFrame, column: str = SCORE, **which: str) -> np.ndarray:
    """AUROC of each seed."""
    labels, values = scores_of(scores, column, **which)
    return np.array([metrics.auroc(labels, each) for each in values])


def row_of(summary: pd.DataFrame, **which: str) -> pd.Series:
    """The one row of a table with these values; plain runs where no variant is named."""
    return select(summary, **({"variant": "plain"} | which)).iloc[0]

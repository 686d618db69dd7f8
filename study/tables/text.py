"""Numbers for a page's sentences: formatted here, put where the prose names them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from anomalylib.metrics.intervals import Interval
from study.names import MODELS, REPORTED

Numbers = dict[str, Any]
"""What a page's text takes by name: texts, or numbers that get three digits."""
NARROW = "\u00a0"
"""A space at which no line is broken."""


def put(numbers: Mapping[str, Any]) -> None:
    """Make numbers available to the page's text, as ``{glue:text}`` by their names."""
    from myst_nb import glue  # which takes a second

    for name, value in numbers.items():
        glue(name, value if isinstance(value, str) else f"{value:.3f}", display=False)


def interval_text(interval: Interval, sign: str = "") -> str:
    """A value with its interval, where it has one; a dash for none; `sign` "+" for differences."""
    value, low, high = interval
    if np.isnan(value):
        return "–"
    ends = f" [{low:{sign}.3f}, {high:{sign}.3f}]" if low <= high else ""
    return f"{value:{sign}.3f}{ends}"


def with_interval(row: Any) -> str:
    """Mean AUROC and its bootstrap interval, from a row of the summary."""
    return interval_text(Interval(row.auroc_mean, row.auroc_ci_low, row.auroc_ci_high))


def ranges(low: pd.Series, high: pd.Series, sign: str = "") -> list[str]:
    """Intervals as a table shows them, if they are known; `sign` is ``"+"`` for differences."""
    ends = zip(low, high, strict=True)
    return [f"[{a:{sign}.3f},{NARROW}{b:{sign}.3f}]" if a <= b else "—" for a, b in ends]


def change_of(pair: Any) -> str:
    """A difference of two AUROCs with its interval."""
    return f"{pair.difference:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}]"


def with_p(pair: Any) -> str:
    """A difference of two AUROCs with its interval and its p value."""
    return f"{change_of(pair)}, p {p_value(pair.p)}"


def p_value(p: float) -> str:
    """A p value as a page shows it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def decided(thresholds: pd.DataFrame, rules: Mapping[str, str]) -> dict[str, str]:
    """What some threshold rules decide, as text by ``<category>_<model>_<rule>_<figure>``.

    `thresholds` has rows of the table with one backbone; `rules` are their short
    names, with those that the table has.
    """
    said = {}
    for short, name in rules.items():
        for row in thresholds[thresholds.threshold_rule == name].itertuples():
            key = f"{row.category}_{row.model}_{short}"
            said |= {f"{key}_recall": f"{row.recall:.0%}", f"{key}_fpr": f"{row.fpr:.0%}"}
            said |= {f"{key}_bound": f"{row.fpr_ci_high:.0%}", f"{key}_normal": str(row.n_normal)}
            said |= {f"{key}_skew": f"{row.skewness:.1f}", f"{key}_n": str(row.n_learned)}
    return said


def beside(published: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Published numbers and our own in one table, sorted by the harder part."""
    rows = published.drop(columns=["repository", "commit", "key"])
    own = summary[(summary.variant == "plain") & summary.model.isin(MODELS)]
    own = own[own.category.isin(REPORTED)]
    ours = []
    for (model, backbone), found in own.groupby(["model", "backbone"], sort=False):
        row = {"method": model, "backbone": backbone or "none", "source": "this study"}
        row |= dict(zip(found.category, found.auroc_mean, strict=True))
        said = [
            f"[{each.auroc_ci_low:.3f}, {each.auroc_ci_high:.3f}]" for each in found.itertuples()
        ]
        counts = " and ".join(dict.fromkeys(map(str, found.n_seeds)))
        ours.append(row | {"note": f"seeds: {counts}; {', '.join(said)}"})
    both = pd.concat([rows, pd.DataFrame(ours)], ignore_index=True)
    return both.sort_values("screw", ascending=False, ignore_index=True)

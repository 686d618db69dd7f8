"""Numbers for a page's sentences: formatted here, put where the prose names them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from study.names import ARMS
from study.tables.comparisons import between_arms
from study.tables.reference import RULES, select

NARROW = "\u00a0"
"""A space at which no line is broken."""


def put(numbers: Mapping[str, Any]) -> None:
    """Make numbers available to the page's text, as ``{glue:text}`` by their names."""
    from myst_nb import glue  # which takes a second

    for name, value in numbers.items():
        glue(name, value if isinstance(value, str) else f"{value:.3f}", display=False)


def with_interval(row: Any) -> str:
    """Mean AUROC and its bootstrap interval, from a row of the summary."""
    return f"{row.auroc_mean:.3f} [{row.auroc_ci_low:.3f}, {row.auroc_ci_high:.3f}]"


def ranges(low: pd.Series, high: pd.Series, sign: str = "") -> list[str]:
    """Intervals as a table shows them; `sign` is ``"+"`` for differences."""
    return [f"[{a:{sign}.3f},{NARROW}{b:{sign}.3f}]" for a, b in zip(low, high, strict=True)]


def change_of(pair: Any) -> str:
    """A difference of two AUROCs with its interval."""
    return f"{pair.difference:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}]"


def p_value(p: float) -> str:
    """A p value as a page shows it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def decided(thresholds: pd.DataFrame, rules: Mapping[str, str]) -> dict[str, str]:
    """What some threshold rules decide, as text by ``<category>_<arm>_<rule>_<figure>``.

    Parameters
    ----------
    thresholds : DataFrame
        Rows of the table ``thresholds``, with one backbone.
    rules : mapping of str to str
        Short names of the rules to their names in the table.
    """
    said = {}
    for short, name in rules.items():
        for row in thresholds[thresholds.threshold_rule == name].itertuples():
            figures = {
                "recall": f"{row.recall:.0%}",
                "fpr": f"{row.fpr:.0%}",
                "bound": f"{row.fpr_ci_high:.0%}",
                "skew": f"{row.skewness:.1f}",
                "n": str(row.n_nominal),
                "normal": str(row.n_normal),
            }
            key = f"{row.category}_{row.arm}_{short}"
            said |= {f"{key}_{figure}": text for figure, text in figures.items()}
    return said


def other_backbones(scores: pd.DataFrame, thresholds: pd.DataFrame) -> dict[str, str]:
    """What moves with the two other backbones: two gains, and what the report's rule decides."""
    said = {}
    for short, backbone in (("v2", "resnet50-v2"), ("lite0", "efficientnet_lite0")):
        pairs = between_arms(scores, backbone).set_index(["category", "first"])
        gain = pairs.loc[("screw", "resnet")]
        said[f"gain_{short}"] = f"{gain.difference:+.3f}, p {p_value(gain.p)}"
        over = pairs.loc[("screw", "combined")]
        said[f"over_{short}"] = f"{over.difference:+.3f}, p {p_value(over.p)}"
        own = {"arm": "combined", "backbone": backbone, "threshold_rule": RULES[0].name}
        nut = select(thresholds, category="metal_nut", **own).iloc[0]
        screw = select(thresholds, category="screw", **own).iloc[0]
        said[f"recall_{short}"], said[f"alarms_{short}"] = f"{nut.recall:.0%}", f"{nut.fpr:.0%}"
        said[f"screw_recall_{short}"] = f"{screw.recall:.0%}"
    return said


def beside(published: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Published numbers and our own in one table, sorted by the harder part."""
    rows = published.drop(columns=["repository", "commit", "key"])
    own = summary[(summary.variant == "plain") & summary.arm.isin(ARMS)]
    ours = []
    for (arm, backbone), found in own.groupby(["arm", "backbone"], sort=False):
        by_part = {row.category: row for row in found.itertuples()}
        row = {"method": arm, "backbone": backbone or "none", "source": "this study"}
        row |= {name: by_part[name].auroc_mean for name in by_part}
        said = [f"[{by_part[n].auroc_ci_low:.3f}, {by_part[n].auroc_ci_high:.3f}]" for n in by_part]
        ours.append(row | {"note": f"{found.n_seeds.max()} seeds; {', '.join(said)}"})
    both = pd.concat([rows, pd.DataFrame(ours)], ignore_index=True)
    return both.sort_values("screw", ascending=False, ignore_index=True)

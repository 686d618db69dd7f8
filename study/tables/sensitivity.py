"""Single settings: which changes stand out after correction, and the numbers in the text."""

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from study.tables.text import Numbers, p_value


def numbers(
    table: pd.DataFrame,
) -> tuple[Numbers, pd.DataFrame, pd.DataFrame, list[str]]:
    """Of the page on the settings; changes with p < 0.05; rows of settings that move; the others.

    A setting moves where any of its changes stands out after Benjamini and Hochberg's correction
    over all changes.
    """

    def named(row: pd.Series) -> str:
        return f"{row.auroc:.3f} ({row.factor}: {row.value})"

    numbers: Numbers = {}
    for name, rows in table[table.model == "combined"].groupby("category"):
        numbers[f"{name}_low"] = named(rows.loc[rows.auroc.idxmin()])
        numbers[f"{name}_high"] = named(rows.loc[rows.auroc.idxmax()])
    rows = table[(table.model == "patchcore") & (table.category == "screw")]
    numbers["patchcore_high"] = named(rows.loc[rows.auroc.idxmax()])
    turned = table[~table.usual.astype(bool)].copy()
    turned["Benjamini"] = false_discovery_control(turned.p)
    turned["Bonferroni"] = np.minimum(turned.p * len(turned), 1)
    stands_out = turned[turned.Benjamini < 0.05]
    clear = turned[turned.p < 0.05].sort_values("change", key=abs, ascending=False)
    numbers |= {"turned": str(len(turned)), "clear": str(len(clear))}
    numbers |= {"by_chance": f"{0.05 * len(turned):.0f}", "benjamini": str(len(stands_out))}
    numbers["bonferroni"] = str((turned.Bonferroni < 0.05).sum())
    pairs = set(zip(stands_out.category, stands_out.factor, strict=True))
    moves = [pair in pairs for pair in zip(table.category, table.factor, strict=True)]
    moving = table[moves]
    flat = [name for name in table.factor.unique() if name not in set(moving.factor)]
    numbers["flat"] = ", ".join(flat) or "none"
    corrected = ["p", "Benjamini", "Bonferroni"]
    columns = ["category", "model", "factor", "value", "auroc", "change", *corrected]
    shown = clear.assign(**{name: clear[name].map(p_value) for name in corrected})[columns]
    return numbers, shown, moving, flat

"""Numbers for a page's sentences: formatted here, put where the prose names them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from IPython.display import HTML
from myst_nb import glue

from anomalylib.results import as_html


def put(numbers: Mapping[str, Any]) -> None:
    """Make numbers available to the page's text, as ``{glue:text}`` by their names."""
    for name, value in numbers.items():
        glue(name, value if isinstance(value, str) else f"{value:.3f}", display=False)


def with_interval(row: Any) -> str:
    """Mean AUROC and its bootstrap interval, from a row of the summary."""
    return f"{row.auroc_mean:.3f} [{row.auroc_ci_low:.3f}, {row.auroc_ci_high:.3f}]"


def p_value(p: float) -> str:
    """A p value as a page shows it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def table(frame: pd.DataFrame, digits: int = 3) -> HTML:
    """A table for a page: plain names, numbers rounded, a dash for what there is not."""

    def said(value: Any) -> str:
        if isinstance(value, str):
            return value
        if pd.isna(value):
            return "–"
        return f"{value:.{digits}f}" if isinstance(value, float) else str(value)

    shown = frame.rename(columns=lambda name: str(name).replace("_", " ")).map(said)
    for column in ("category", "defect type"):
        if column in shown:
            shown[column] = shown[column].str.replace("_", " ")
    return as_html(shown)

"""Tables as a page shows them."""

from collections.abc import Sequence
from typing import Any

import jinja2
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from study.names import MODELS, label, plain
from study.tables.results import Result, tabulate
from study.tables.text import NARROW

TABLE = jinja2.Environment(
    loader=jinja2.PackageLoader("study.tables", "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("table.html.j2")
UNKNOWN = Markup(
    "<strong>{}</strong>: no anomalous image was given. How many defects would be found cannot be "
    "known, at this threshold or any other: there is no AUROC, no hit and no miss, and a model "
    "with few false alarms may be one that sees nothing. What is known is the other half: how many "
    "of the normal images that were held out from learning are called anomalous, and, in the "
    "column <em>at most</em>, what their rate may be in the long run."
)
"""What a page says of a part without anomalous images."""
NAMES = {"category": plain, "defect type": plain}
NAMES |= dict.fromkeys(("model", "first", "second"), label)
"""Columns of names, and how a page has them."""


def as_html(frame: pd.DataFrame, before: str = "", after: str = "") -> HTML:
    """Show a table whole on a page, between two paragraphs; a line break in a cell is kept.

    All is escaped unless it is `Markup`. Without rows there is no table.
    """
    cells = frame.map(lambda cell: cell if isinstance(cell, Markup) else str(cell))
    rows = list(cells.itertuples(index=False, name=None))
    columns = list(frame.columns)
    return HTML(TABLE.render(columns=columns, rows=rows, before=before, after=after))


def table(frame: pd.DataFrame, digits: int = 3, **around: str) -> HTML:
    """A table for a page: plain names, numbers rounded, a dash for what there is not."""

    def text(value: Any) -> str:
        if isinstance(value, str):
            return value
        if pd.isna(value):
            return "–"
        return f"{value:.{digits}f}" if isinstance(value, float) else str(value)

    shown = frame.rename(columns=lambda name: str(name).replace("_", " ")).map(text)
    for column in shown.columns.intersection(list(NAMES)):
        shown[column] = shown[column].map(NAMES[column])
    return as_html(shown, **around)


def show(results: Sequence[Result]) -> HTML:
    """The table of `tabulate`, and what cannot be known without anomalous images."""
    bare = dict.fromkeys(plain(result.category) for result in results if not result.has_anomalous)
    return as_html(tabulate(results), after=UNKNOWN.format(", ".join(bare)) if bare else "")


def rule_table(decided: pd.DataFrame) -> HTML:
    """What each threshold rule decides, with the one-sided bounds of its rates in brackets."""
    rate = f"{{:.0%}}{NARROW}[{{}}{NARROW}{{:.0%}}]".format
    rows = list(decided.itertuples())
    shown = {
        "category": decided.category,
        "model": decided.model,
        "rule": decided.threshold_rule.str.replace(" ", NARROW),
        "learned from": decided.n_learned,
        "skewness": decided.skewness.map("{:.1f}".format),
        "recall": [rate(row.recall, "≥", row.recall_ci_low) for row in rows],
        "false alarms": [rate(row.fpr, "≤", row.fpr_ci_high) for row in rows],
    }
    return table(pd.DataFrame(shown))


def verdict_table(verdicts: pd.DataFrame, folder: str = "") -> HTML:
    """Verdicts; each claim links to the page that shows it, which lies in `folder`."""
    link = Markup('<a href="{}{}.html">{}</a>').format
    claims = [link(folder, row.page, row.claim) for row in verdicts.itertuples()]
    return table(verdicts.assign(claim=claims).drop(columns="page"))


def published_table(both: pd.DataFrame) -> HTML:
    """The rows of `text.beside`, few columns wide: who, with what, where it was read."""
    ours = both.source == "this study"
    backbone = (", " + both.backbone).where(both.backbone != "none", "")
    shown = {
        "method": both.method.replace({model: label(model) for model in MODELS}) + backbone,
        "metal nut": both.metal_nut,
        "screw": both.screw,
        "15 categories": both.mean15,
        "read in": both.source.where(ours, both.paper + "; " + both.source),
        "note": both.note.astype(object).fillna(""),
    }
    return table(pd.DataFrame(shown))

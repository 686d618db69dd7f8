"""How a page shows what the checks say: verdicts in a table, one check with its suspects."""

from collections.abc import Sequence

from IPython.display import HTML
from markupsafe import Markup

from study.datacheck.check import LOOK, OK, STOP, Check, summary
from study.tables.html import table

MARKS = {OK: ("●", "#009E73"), LOOK: ("▲", "#D55E00"), STOP: ("■", "#D00000")}
"""Shape and colour of a verdict, so that either is enough."""
LONGEST = 20
"""Rows of a table on a page; the others are counted."""


def summary_table(checks: Sequence[Check]) -> HTML:
    """All verdicts, one row a check."""
    rows = summary(checks)
    return table(rows.assign(verdict=rows.verdict.map(_mark)))


def shown(check: Check) -> HTML:
    """One check as a page shows it: verdict, sentence, table."""
    more = len(check.table) - LONGEST
    before = Markup("{} {}").format(_mark(check.verdict), check.sentence)
    after = f"… and {more} more." if more > 0 else ""
    return table(check.table.head(LONGEST), digits=4, before=before, after=after)


def _mark(verdict: str) -> Markup:
    sign, colour = MARKS[verdict]
    mark = Markup('<span style="color:{}" aria-hidden="true">{}</span> <strong>{}</strong>')
    return mark.format(colour, sign, verdict)

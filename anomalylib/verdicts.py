"""What a check of the data says: a verdict, a sentence, a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

OK, LOOK, STOP = "ok", "look", "stop"


@dataclass(frozen=True)
class Check:
    """What one check has found.

    Parameters
    ----------
    name : str
        What was looked at.
    verdict : str
        ``"ok"``; ``"look"``, see for yourself; ``"stop"``, mend it first.
    said : str
        One sentence: what was found and, unless all is well, what to do.
    table : DataFrame
        The numbers, or the suspects; may be empty.
    """

    name: str
    verdict: str
    said: str
    table: pd.DataFrame


def worst(checks: Sequence[Check]) -> str:
    """The gravest of some verdicts."""
    return max((check.verdict for check in checks), key=(OK, LOOK, STOP).index)


def summary(checks: Sequence[Check]) -> pd.DataFrame:
    """One row a check: its name, its verdict, its sentence."""
    rows = [{"check": c.name, "verdict": c.verdict, "what it says": c.said} for c in checks]
    return pd.DataFrame(rows)

"""What a check of the data says: a verdict, a sentence, a table; and how that is kept."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from anomalylib.errors import UserError
from anomalylib.files import written_whole
from study.datacheck.survey import Survey
from study.tables.results import result_path

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


def save(found: Survey, checks: Sequence[Check], folder: str | Path, seed: int) -> None:
    """Keep what was looked at and what was said, as `load` reads it.

    Parameters
    ----------
    found : Survey
        Its images become a CSV file, one row an image.
    checks : sequence of Check
    folder : str or Path
        Of the results.
    seed : int
        Of the study.
    """
    own, category = found.images.drop(columns="pixels"), found.category
    path = result_path(folder, category.name, "data", seed)
    with written_whole(path.with_suffix(".csv")) as beside:
        own.to_csv(beside, index=False)
    said = {
        "dataset": category.dataset,
        "category": category.name,
        "fingerprint": category.fingerprint,
        "counts": category.counts(),
        "verdicts": {check.name: check.verdict for check in checks},
    }
    with written_whole(path) as beside:
        beside.write_text(json.dumps(said, indent=1))


def load(folder: str | Path, category: str, seed: int) -> tuple[dict, bytes]:
    """What `save` has kept: data set, fingerprint, counts and verdicts, and the CSV file.

    Raises
    ------
    UserError
        If it has not been made, or is damaged.
    """
    path = result_path(folder, category, "data", seed)
    if not path.is_file():
        raise UserError(f"no data check at {path}: run notebooks/data.ipynb for {category} first")
    try:
        return json.loads(path.read_text()), path.with_suffix(".csv").read_bytes()
    except ValueError:
        raise UserError(f"{path} is damaged: delete it and run again") from None

"""What a check of the images says: a verdict, a sentence, a table; and how that is kept."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from anomalylib.errors import UserError
from anomalylib.files import written_whole
from anomalylib.images.category import Category
from study.datacheck.survey import Survey
from study.tables.results import result_path

OK, LOOK, STOP = "ok", "look", "stop"
"""Nothing to do; see for yourself; mend it first."""


Finding = tuple[str, str, pd.DataFrame]
"""Of one check: verdict; sentence, what there is and what to do; numbers or suspects."""


class Check(NamedTuple):
    """What was looked at, and the `Finding`."""

    name: str
    verdict: str
    sentence: str
    table: pd.DataFrame


def summary(checks: Sequence[Check]) -> pd.DataFrame:
    """One row a check: its name, its verdict, its sentence."""
    return pd.DataFrame(
        [check[:3] for check in checks], columns=["check", "verdict", "what it says"]
    )


def save(surveyed: Survey, checks: Sequence[Check], folder: str | Path, seed: int) -> None:
    """Keep the images' rows as a CSV file and the verdicts as JSON, as `load` reads them."""
    category = surveyed.category
    path = result_path(folder, category, "data", seed)
    with written_whole(path.with_suffix(".csv")) as beside:
        surveyed.images.drop(columns="pixels").to_csv(beside, index=False)
    kept = {
        "dataset": category.dataset,
        "category": category.name,
        "fingerprint": category.fingerprint,
        "counts": category.counts(),
        "verdicts": {check.name: check.verdict for check in checks},
        "sentences": {check.name: check.sentence for check in checks},
    }
    with written_whole(path) as beside:
        beside.write_text(json.dumps(kept, indent=1))


def load(folder: str | Path, category: Category, seed: int) -> dict:
    """What `save` has kept as JSON: data set, category, fingerprint, counts and what was said.

    Raises
    ------
    UserError
        If it has not been made, or is damaged.
    """
    path = result_path(folder, category, "data", seed)
    if not path.is_file():
        first = f"run notebooks/data.ipynb for {category.name} first"
        raise UserError(f"no data check at {path}: {first}")
    try:
        return json.loads(path.read_text())
    except ValueError:
        raise UserError(f"{path} is damaged: delete it and run again") from None


def stops(folder: str | Path, category: Category, seed: int) -> tuple[str, ...]:
    """What is to be mended first, a sentence each; nothing where no look was kept."""
    if not result_path(folder, category, "data", seed).is_file():
        return ()
    said = load(folder, category, seed)
    stopping = [name for name, verdict in said["verdicts"].items() if verdict == STOP]
    return tuple(said["sentences"][name] for name in stopping)

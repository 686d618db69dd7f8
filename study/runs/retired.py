"""What was measured of models that have left the code, kept where the tables are made again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from anomalylib.images.category import Category
from study.names import MEASURED, MODELS

RETIRED = tuple(model for model in MEASURED if model not in MODELS)


class Kept(NamedTuple):
    """Rows, arrays and settings of `RETIRED` in a folder of tables."""

    rows: dict[str, pd.DataFrame]  # by table
    arrays: dict[str, np.ndarray]  # of ``examples.npz``
    settings: dict[str, Any]  # of the provenance


def kept_from(folder: Path, categories: Sequence[Category]) -> Kept:
    """What the folder has of `RETIRED` on the very images of these categories, if anything."""
    path, rows, arrays = folder / "provenance.json", {}, {}
    if not path.is_file():
        return Kept(rows, arrays, {})
    known = json.loads(path.read_text(encoding="utf-8"))
    hashes = {name: each["sha256"] for name, each in known["data"].items()}
    same = [each.name for each in categories if hashes.get(each.name) == each.fingerprint]
    for table in sorted(folder.glob("*.csv")):
        found = pd.read_csv(table)
        if {"category", "model"} <= set(found.columns):
            own = found[found.model.isin(RETIRED) & found.category.isin(same)]
            rows |= {table.stem: own} if len(own) else {}
    if "examples" in rows:
        named = set(rows["examples"].arrays)
        with np.load(folder / "examples.npz") as held:
            arrays = {name: held[name] for name in held if name.rpartition(" ")[0] in named}
    settings = {name: known["settings"][name] for name in RETIRED if name in known["settings"]}
    return Kept(rows, arrays, settings if rows else {})

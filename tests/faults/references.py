"""Reference results of a drawn category, undisturbed: what disturbed ones must be like."""

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tests.faults import common
from tests.faults.common import Setup


class Calm(NamedTuple):
    """Reference results that nothing disturbed.

    Parameters
    ----------
    tables : Path
        Their folder.
    took : float
        Seconds they took.
    idle : float
        Seconds a second time took, with all runs there: what is no measuring.
    """

    tables: Path
    took: float
    idle: float


def undisturbed(setup: Setup) -> Calm:
    """Measure them once for all faults."""
    study, note = setup.scratch / "calm" / "study", setup.scratch / "calm" / "seconds.json"
    if not note.is_file():
        setup.study("calm", whole=True)
        seconds = [common.undisturbed(study, words(setup, "tables")) for _ in range(2)]
        note.write_text(json.dumps(seconds))
    return Calm(study / "tables", *json.loads(note.read_text()))


def words(setup: Setup, output: str) -> list[str]:
    """Options of `reference` on synthetic parts, with a backbone that has learned nothing."""
    from study.runs.controls import random_resnet50

    weights = setup.scratch / "resnet50-untrained-seed7.safetensors"
    if not weights.is_file():
        random_resnet50(setup.scratch, 7)
    words = ["reference", "--data-root", "data/parts", "--categories", "metal_nut"]
    return [*words, "--weights", str(weights), "--output", output]


def differences(folder: Path, calm: Path) -> int:
    """How many tables differ in more than the time they took."""

    def read(path: Path) -> str:
        table = pd.read_csv(path)
        return table.drop(columns=[c for c in table if c.endswith("_seconds")]).to_csv()

    names = {path.name for path in [*calm.glob("*.csv"), *folder.glob("*.csv")]}
    there = [(folder / name, calm / name) for name in names]
    return sum(
        not (one.is_file() and other.is_file() and read(one) == read(other)) for one, other in there
    )

"""One result per category, arm and seed: scores, settings, provenance."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from anomalylib.errors import UserError
from anomalylib.files import written_whole
from anomalylib.metrics import image as metrics
from anomalylib.metrics.intervals import upper_bound
from study.names import CONTROL, plain

SAID_APART = {"category", "backbone", "layers", "chosen", "threads"}


class Result(BaseModel):
    """What one arm scored on one category with one seed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    arm: str
    dataset: str
    seed: int
    synthetic: bool  # whether the parts are drawn
    settings: dict[str, Any]  # every parameter of the notebook
    backbone: dict[str, Any] | None  # `Backbone.describe()`; None for an arm that has none
    fingerprint: str  # SHA-256 of the category's images
    names: list[str]  # the test images
    defect_types: list[str]
    labels: list[int]  # 0 for normal, 1 for anomalous
    scores: list[float]  # of each test image; higher is more anomalous
    mean_grey: list[float]
    nominal_scores: list[float]  # of the training images, which the threshold is learned from
    threshold: float  # scores above it are called anomalous
    seconds: dict[str, float]  # wall time of each step
    versions: dict[str, str]  # of Python and the packages the numbers depend on
    machine: str  # processor architecture and thread count
    date: str  # when it was made, UTC

    def __str__(self) -> str:
        """What came of it, in one line."""
        if self.has_anomalous:
            return f"AUROC {self.auroc:.3f} on {len(self.scores)} test images"
        alarms = f"{self.confusion.false_alarm} of {len(self.scores)} held-out normal images"
        return f"{alarms} above the threshold; no anomalous images, so no AUROC"

    @property
    def has_anomalous(self) -> bool:
        """Whether any test image is anomalous: without, nothing is known of hits."""
        return any(self.labels)

    @property
    def auroc(self) -> float:
        """Image-level AUROC on the test images."""
        return metrics.auroc(np.array(self.labels), np.array(self.scores))

    @property
    def confusion(self) -> metrics.Confusion:
        """Decisions at the threshold."""
        return metrics.confusion(np.array(self.labels), np.array(self.scores), self.threshold)

    @property
    def control_auroc(self) -> float:
        """AUROC of the mean grey value alone."""
        return metrics.auroc(np.array(self.labels), np.array(self.mean_grey))

    def save(self, folder: str | Path, maps: np.ndarray) -> Path:
        """Write the result as JSON and its test maps (N, H, W) beside it.

        The maps come first, so that a JSON file that is there is complete.
        """
        path = result_path(folder, self.category, self.arm, self.seed)
        with written_whole(path.with_suffix(".npz")) as beside:
            np.savez_compressed(beside, maps=maps.astype(np.float16))
        with written_whole(path) as beside:
            beside.write_text(self.model_dump_json(indent=1))
        return path

    def provenance(self) -> dict[str, str]:
        """What a reader needs to make the same numbers again."""
        backbone, chosen, weights = "none", "not used", "none"
        if self.backbone:
            layers = " + ".join(self.backbone["layers"]) or "its exported maps"
            backbone, chosen = f"{self.backbone['name']}, {layers}", self.backbone["chosen"]
            weights = f"{self.backbone['path']}, SHA-256 {self.backbone['sha256'][:16]}…"
        own = {key: value for key, value in self.settings.items() if key not in SAID_APART}
        settings = ", ".join(f"{key}={value}" for key, value in own.items())
        return {
            "data": f"{self.dataset}, {self.category}, SHA-256 {self.fingerprint[:16]}…",
            "backbone": backbone,
            "backbone chosen": chosen,
            "weights": weights,
            "parameters": settings,
            "versions": ", ".join(f"{key} {value}" for key, value in self.versions.items()),
            "machine": self.machine,
            "seconds": ", ".join(f"{key} {value:.1f}" for key, value in self.seconds.items()),
            "made": self.date,
        }


def result_path(folder: str | Path, category: str, arm: str, seed: int) -> Path:
    """Where the result of one arm lies."""
    return Path(folder) / category / f"{arm}-seed{seed}.json"


def load_result(folder: str | Path, category: str, arm: str, seed: int) -> Result:
    """Read the result of one arm.

    Raises
    ------
    UserError
        If it has not been made or cannot be read.
    """
    path = result_path(folder, category, arm, seed)
    if not path.is_file():
        raise UserError(f"no result at {path}: run notebooks/{arm}.ipynb for {category} first")
    try:
        return Result.model_validate_json(path.read_text())
    except ValueError:  # no text, no JSON, or not these fields
        raise UserError(f"{path} is no result of this version: delete it and rerun") from None


def load_maps(folder: str | Path, result: Result) -> np.ndarray:
    """Anomaly maps of a result's test images, (N, H, W)."""
    path = result_path(folder, result.category, result.arm, result.seed)
    return read_maps(path.with_suffix(".npz"))


def read_maps(path: Path) -> np.ndarray:
    """Anomaly maps (N, H, W) of an ``.npz`` file, which may hold no pickled objects.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["maps"].astype(np.float32)
    except (OSError, EOFError, ValueError, LookupError, zipfile.BadZipFile):
        both = f"delete it and {path.stem}.json beside it, and run again"
        raise UserError(f"{path} holds no anomaly maps: {both}") from None


def tabulate(results: list[Result]) -> pd.DataFrame:
    """One row an arm and one for the control: AUROC, decisions at the threshold.

    *at most* is the one-sided 95 % bound of Clopper and Pearson on the rate of
    false alarms. Without anomalous images there is no AUROC, and no control.

    Raises
    ------
    UserError
        If drawn and real parts, two data sets, or two backbones are mixed.
    """
    datasets = {(result.dataset, result.synthetic) for result in results}
    if len(datasets) > 1:
        names = " and ".join(sorted(name for name, _ in datasets))
        raise UserError(f"results of {names} do not belong in one table: rerun one of them")
    hashes = {result.backbone["sha256"] for result in results if result.backbone}
    if len(hashes) > 1:
        raise UserError("results of two backbones do not belong in one table: rerun one of them")
    rows = []
    for category in dict.fromkeys(result.category for result in results):
        mine = [result for result in results if result.category == category]
        for result in mine:
            counts = result.confusion
            row = {
                "category": plain(category),
                "arm": plain(result.arm),
                "AUROC": f"{result.auroc:.3f}" if result.has_anomalous else "–",
                "false alarms": f"{counts.false_alarm} of {counts.normal}",
                "at most": f"{upper_bound(counts.false_alarm, counts.normal):.0%}",
                "hits": f"{counts.hit} of {counts.anomalous}" if counts.anomalous else "–",
            }
            rows.append(row)
        if mine[0].has_anomalous:
            control = f"{mine[0].control_auroc:.3f}"
            rows.append({"category": plain(category), "arm": CONTROL, "AUROC": control})
    return pd.DataFrame(rows).fillna("–")


def provenance_table(results: list[Result]) -> dict[str, str]:
    """Provenance of one result or several; what they share is said once."""
    names = [plain(f"{result.category} {result.arm}") for result in results]
    columns = pd.DataFrame([result.provenance() for result in results], index=names)
    said = {}
    for field, values in columns.items():
        by_value = values.groupby(values, sort=False)
        apart = [f"{', '.join(whose.index)}: {value}" for value, whose in by_value]
        said[field] = "\n".join(apart) if len(apart) > 1 else values.iloc[0]
    return said


def image_table(results: list[Result]) -> pd.DataFrame:
    """Every test image of one category with its score by each arm, and the thresholds."""
    first = results[0]
    columns = {"image": first.names, "defect_type": first.defect_types, "label": first.labels}
    columns["mean_grey"] = first.mean_grey
    for result in results:
        columns[result.arm] = result.scores
        columns[f"{result.arm}_threshold"] = result.threshold
    return pd.DataFrame(columns)

"""One result per category, model and seed: scores, settings, provenance."""

import zipfile
from collections.abc import Mapping, Sequence
from itertools import combinations, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from anomalylib.errors import UserError
from anomalylib.files import written_whole
from anomalylib.images.category import Category
from anomalylib.metrics import image as metrics
from anomalylib.metrics.intervals import upper_bound
from study.names import CONTROL, MODELS, label, plain

OF_FEATURES = ("image_size", "pool_padding", "normalise", "precision")
OF_BACKBONE = ("name", "layers", "sha256")
SAID_APART = {"category", "backbone", "layers", "chosen", "threads"}


class Result(BaseModel):
    """What one model scored on one category with one seed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    model: str
    dataset: str
    seed: int
    synthetic: bool  # whether the parts are drawn
    settings: dict[str, Any]  # every parameter of the notebook
    usual_size: int | None = None  # `image_size` that the model was made for
    backbone: dict[str, Any] | None  # `Backbone.describe()`; None for a model that has none
    fingerprint: str  # SHA-256 of the category's images
    names: list[str]  # the test images
    defect_types: list[str]
    labels: list[int]  # 0 for normal, 1 for anomalous
    scores: list[float]  # of each test image; higher is more anomalous
    mean_grey: list[float]
    normal_scores: list[float]  # of the training images, which the threshold is learned from
    threshold: float  # scores above it are called anomalous
    seconds: dict[str, float]  # wall time of each step
    versions: dict[str, str]  # of Python and the packages the numbers depend on
    machine: str  # processor architecture, thread count, and the device that computed
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
        path = result_path(folder, self, self.model, self.seed)
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


def data_key(data: Category | Result) -> str:
    """Name of a category's folder: images that differ have folders of their own."""
    name = data.category if isinstance(data, Result) else data.name
    return f"{name}-{data.fingerprint[:8]}"


def result_path(folder: str | Path, data: Category | Result, model: str, seed: int) -> Path:
    """Where the result of one model on some images lies."""
    return Path(folder) / data_key(data) / f"{model}-seed{seed}.json"


def load_result(folder: str | Path, category: Category, model: str, seed: int) -> Result:
    """Read the result of one model.

    Raises
    ------
    UserError
        If it has not been made, cannot be read, or is one of other images.
    """
    path = result_path(folder, category, model, seed)
    if not path.is_file():
        raise UserError(
            f"no result at {path}: run notebooks/{model}.ipynb for {category.name} first"
        )
    try:
        result = Result.model_validate_json(path.read_text())
    except ValueError:  # no text, no JSON, or not these fields
        raise UserError(f"{path} is no result of this version: delete it and rerun") from None
    made_of = (result.category, result.model, result.seed, result.fingerprint)
    if made_of != (category.name, model, seed, category.fingerprint):
        raise UserError(f"{path} is of other images, model or seed: delete it and rerun")
    return result


def load_results(folder: str | Path, categories: Sequence[Category], seed: int) -> list[Result]:
    """The results of all models on some categories, for one table."""
    return joined(
        [load_result(folder, each, model, seed) for each in categories for model in MODELS]
    )


def joined(results: list[Result], alike: bool = False) -> list[Result]:
    """The same results, if they belong in one table; with `alike`, of the same images.

    Raises
    ------
    UserError
        If drawn and real parts are mixed, or two data of one name, seeds, backbones, or
        settings of the features.
    """
    for one, other in combinations(results, 2):
        theirs = _must_be_equal(other, images := alike or one.category == other.category)
        for what, value in _must_be_equal(one, images).items():
            if value != theirs.get(what, value):
                both = _where_they_differ(value, theirs[what])
                who = f"{_said(one)} ({both[0]}) and {_said(other)} ({both[1]})"
                raise UserError(f"{who} do not belong in one table, by {what}: rerun one of them")
    return results


def shared_features(settings: Mapping[str, Any], usual_size: int | None) -> dict[str, Any]:
    """The settings of features that models share, the size among those made for the same."""
    own = {name: settings[name] for name in OF_FEATURES if name in settings}
    if "image_size" in own:
        own[f"image_size, usually {usual_size}"] = own.pop("image_size")
    return own


def _must_be_equal(result: Result, images: bool) -> dict[str, Any]:
    """What results of one table have in common, by name; `images`: those of one category."""
    said = {"parts": "synthetic" if result.synthetic else "real", "seed": result.seed}
    if images:
        said |= {"data": result.fingerprint, "image names": result.names, "labels": result.labels}
    if result.backbone:
        said |= {f"backbone, {part}": result.backbone[part] for part in OF_BACKBONE}
    return said | shared_features(result.settings, result.usual_size)


def _where_they_differ(one: Any, other: Any) -> tuple[str, str]:
    """Two values in a message: of lists the first that differ, of texts the beginning."""
    if isinstance(one, list):
        one, other = next(pair for pair in zip_longest(one, other) if pair[0] != pair[1])
    return str(one)[:40], str(other)[:40]


def load_maps(folder: str | Path, result: Result) -> np.ndarray:
    """Anomaly maps of a result's test images, (N, H, W)."""
    return read_maps(result_path(folder, result, result.model, result.seed).with_suffix(".npz"))


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
    """One row a model and one for the control: AUROC, decisions at the threshold.

    *at most* is the one-sided 95 % bound of Clopper and Pearson on the rate of
    false alarms. Without anomalous images there is no AUROC, and no control.
    """
    joined(results)
    rows = []
    for category in dict.fromkeys(result.category for result in results):
        mine = [result for result in results if result.category == category]
        for result in mine:
            counts = result.confusion
            row = {
                "category": plain(category),
                "model": label(result.model),
                "AUROC": f"{result.auroc:.3f}" if result.has_anomalous else "–",
                "false alarms": f"{counts.false_alarm} of {counts.normal}",
                "at most": f"{upper_bound(counts.false_alarm, counts.normal):.0%}",
                "hits": f"{counts.hit} of {counts.anomalous}" if counts.anomalous else "–",
            }
            rows.append(row)
        if mine[0].has_anomalous:
            control = f"{mine[0].control_auroc:.3f}"
            rows.append({"category": plain(category), "model": label(CONTROL), "AUROC": control})
    return pd.DataFrame(rows).fillna("–")


def provenance_table(results: list[Result]) -> dict[str, str]:
    """Provenance of one result or several; what they share is said once."""
    names = [_said(result) for result in joined(results)]
    columns = pd.DataFrame([result.provenance() for result in results], index=names)
    said = {}
    for field, values in columns.items():
        by_value = values.groupby(values, sort=False)
        apart = [f"{', '.join(whose.index)}: {value}" for value, whose in by_value]
        said[field] = "\n".join(apart) if len(apart) > 1 else values.iloc[0]
    return said


def image_table(results: list[Result]) -> pd.DataFrame:
    """Every test image of one category with its score by each model, and the thresholds."""
    first = joined(results, alike=True)[0]
    columns = {"image": first.names, "defect_type": first.defect_types, "label": first.labels}
    columns["mean_grey"] = first.mean_grey
    for result in results:
        columns[result.model] = result.scores
        columns[f"{result.model}_threshold"] = result.threshold
    return pd.DataFrame(columns)


def defect_table(results: list[Result]) -> pd.DataFrame:
    """AUROC of each defect type against all normal test images of one category, by model.

    The control has a column too; without anomalous images there is no row.
    """
    first = joined(results, alike=True)[0]
    labels, kinds = np.array(first.labels), np.array(first.defect_types)
    by_model = {label(result.model): result.scores for result in results} | {
        label(CONTROL): first.mean_grey
    }
    rows = []
    for kind in sorted(set(kinds[labels == 1])):
        chosen = (labels == 0) | (kinds == kind)
        row = {"defect type": kind, "images": int((kinds == kind).sum())}
        for model, scores in by_model.items():
            row[model] = metrics.auroc(labels[chosen], np.array(scores)[chosen])
        rows.append(row)
    return pd.DataFrame(rows)


def _said(result: Result) -> str:
    return f"{plain(result.category)} {label(result.model)}"

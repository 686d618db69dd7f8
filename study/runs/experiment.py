"""Many runs outside notebooks: resumable, on several workers."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock
from pydantic import BaseModel
from tqdm import tqdm

from anomalylib.errors import UserError, first_line
from anomalylib.features.weights import HE, LITE0, Backbone, resolve_backbone
from anomalylib.files import written_whole
from anomalylib.images.category import load_category
from anomalylib.sources import code_hash
from study.checkout import ROOT
from study.runs.measurement import PACKAGES, Measurement, measure
from study.runs.workers import complete, workers
from study.tables.results import read_maps

FOLDER = ROOT / "build" / "runs"


class AnyRun(Protocol):
    """What an experiment must know of a run: names, and settings as plain values."""

    category: str
    backbone: str  # empty where there is none
    name: str  # of its file
    module: str  # of its detector
    depends_on: dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """Runs on one data set with some backbones, each measured once."""

    data_root: str  # folder of the categories
    backbones: dict[str, Backbone]  # by the name that runs use
    measure: Callable = measure  # what is done in each run
    record: type[BaseModel] = Measurement  # of what that gives beside the maps, if any
    folder: Path = FOLDER  # where records are kept
    _hashes: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def first_backbone(self) -> str:
        """The one that controls and single settings are measured with."""
        return next(iter(self.backbones))

    def key(self, run: AnyRun) -> str:
        """Hash of all that the record depends on: settings, images, weights and code."""
        backbone = self.backbones.get(run.backbone)
        depends_on = [
            run.depends_on,
            [backbone.name, backbone.sha256, *backbone.layers] if backbone else [],
            self._hash(
                run.category, lambda: load_category(self.data_root, run.category).fingerprint
            ),
            self._hash(run.module, lambda: code_of(self.measure.__module__, run.module)),
        ]
        return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()

    def path(self, run: AnyRun) -> Path:
        """Where the record of a run lies, its maps beside it as ``.npz``."""
        return self.folder / f"{run.name}-{self.key(run)[:12]}.json"

    def load(self, run: AnyRun) -> Any:
        """Read a record; an unreadable one is an error."""
        path = self.path(run)
        if not path.is_file():
            raise UserError(f"no measurement at {path}: run again to make it")
        try:
            return self.record.model_validate_json(path.read_text())
        except ValueError:  # no text, no JSON, or not these fields
            raise UserError(f"{path} is no measurement: delete it and run again") from None

    def maps(self, run: AnyRun) -> np.ndarray:
        """Anomaly maps of a run's test images, (N, H, W)."""
        return read_maps(self.path(run).with_suffix(".npz"))

    def carry_out(
        self, runs: Sequence[AnyRun], jobs: int | None = None, scheduler: str = ""
    ) -> int:
        """Measure what is missing, and say how many runs that were; failures are raised last."""
        failures: list[str] = []
        with workers(jobs, scheduler, quiet=True) as executor:  # before the data is read
            tasks = [(run, path) for run in runs if not (path := self.path(run)).is_file()]
            with tqdm(total=len(runs), initial=len(runs) - len(tasks), unit="run") as bar:
                for number, _, error in complete(self.work, tasks, executor):
                    name = tasks[number][0].name
                    if error is not None:
                        failures.append(f"{name}: {first_line(error)}")
                    bar.set_postfix_str(name)
                    bar.update()
        if failures:
            more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
            raise UserError(f"{failures[0]}{more}; what is done is kept, run again to go on")
        return len(tasks)

    def work(self, run: AnyRun, path: Path) -> None:
        """Measure in a worker; the maps come first: a JSON file that is there is complete."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):  # two experiments may want the same
            if path.is_file():
                return
            backbone = self.backbones.get(run.backbone)
            category = load_category(self.data_root, run.category)
            record, maps = self.measure(run, category, backbone, self.folder)
            if maps is not None:
                with written_whole(path.with_suffix(".npz")) as beside:
                    np.savez_compressed(beside, maps=maps.astype(np.float16))
            with written_whole(path) as beside:
                beside.write_text(record.model_dump_json())

    def _hash(self, name: str, compute: Callable[[], str]) -> str:
        """A hash that takes a while, once; an edit during the runs does not move their keys."""
        if name not in self._hashes:
            self._hashes[name] = compute()
        return self._hashes[name]


def code_of(*modules: str) -> str:
    """Hash of the code that a run uses, and of what computes with it."""
    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES]
    return " ".join([*versions, code_hash(*modules, packages=("anomalylib", "study"))])


def resolve_backbones(given: Sequence[str]) -> dict[str, Backbone]:
    """The backbones of weights files given as ``path`` or ``name=path``, by name.

    Without any, torchvision's ResNet-50. Each has the usual layers that its file holds.
    EfficientNet-Lite0 joins.
    """
    backbones = {}
    for word in given or ["resnet50="]:
        name, equals, path = word.rpartition("=")
        asked = name if name == HE or not path else "auto"
        backbone = resolve_backbone(asked, path)
        backbones[name if equals else backbone.name] = backbone
    return backbones | {LITE0: resolve_backbone(LITE0)}

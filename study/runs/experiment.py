"""Many runs outside notebooks: resumable, on several workers."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL
import torch
from filelock import FileLock
from tqdm import tqdm

from anomalylib.detectors.registry import DETECTORS
from anomalylib.errors import UserError, first_line
from anomalylib.features.weights import LITE0, Backbone, resolve_backbone
from anomalylib.files import written_whole
from anomalylib.images.category import load_category
from anomalylib.sources import code_hash
from study.checkout import ROOT
from study.runs.measurement import Measurement, Run, measure
from study.runs.workers import complete, workers
from study.settings import make_settings
from study.tables.results import read_maps

FOLDER = ROOT / "build" / "runs"


@dataclass(frozen=True)
class Experiment:
    """Runs on one data set with some backbones.

    Parameters
    ----------
    data_root : str
        Folder of the categories.
    backbones : dict of str to Backbone
        By the name that runs use.
    folder : Path
        Where measurements are kept.
    """

    data_root: str
    backbones: dict[str, Backbone]
    folder: Path = FOLDER
    _fingerprints: dict[str, str] = field(default_factory=dict)

    def key(self, run: Run) -> str:
        """Hash of all that the measurement depends on."""
        found = self.backbones.get(run.backbone)
        backbone = [found.sha256, *found.layers] if found else []
        settings = make_settings(run.arm, run.changes).model_dump()
        data = self.fingerprint(run.category)
        said = [run.model_dump(), settings, data, backbone, code_of(self.work.__module__, run.arm)]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def fingerprint(self, category: str) -> str:
        """Of the category's images and masks, computed once."""
        if category not in self._fingerprints:
            self._fingerprints[category] = load_category(self.data_root, category).fingerprint
        return self._fingerprints[category]

    def path(self, run: Run) -> Path:
        """Where the measurement of a run lies, its maps beside it as ``.npz``."""
        return self.folder / f"{run.name}-{self.key(run)[:12]}.json"

    def load(self, run: Run) -> Measurement:
        """Read a measurement; an unreadable one is an error."""
        path = self.path(run)
        if not path.is_file():
            raise UserError(f"no measurement at {path}: run again to make it")
        try:
            return Measurement.model_validate_json(path.read_text())
        except ValueError:  # no text, no JSON, or not these fields
            raise UserError(f"{path} is no measurement: delete it and run again") from None

    def maps(self, run: Run) -> np.ndarray:
        """Anomaly maps of a run's test images, (N, H, W)."""
        return read_maps(self.path(run).with_suffix(".npz"))

    def carry_out(self, runs: list[Run], jobs: int | None = None, scheduler: str = "") -> int:
        """Measure what is not measured yet.

        Parameters
        ----------
        runs : list of Run
            In the order they are begun.
        jobs, scheduler
            See `study.runs.workers.workers`; each run takes one thread.

        Returns
        -------
        int
            How many were measured.

        Raises
        ------
        UserError
            If any failed, after the others are finished, or if the cluster cannot be reached.
        """
        failures: list[str] = []
        os.environ["TQDM_DISABLE"] = "1"  # in the workers: one bar for all runs
        with workers(jobs, scheduler) as executor:  # which may complain: before the data is read
            missing = [run for run in runs if not self.path(run).is_file()]
            tasks = [self._task(run) for run in missing]
            bar = tqdm(total=len(runs), initial=len(runs) - len(missing), unit="run")
            with bar:
                for number, _, error in complete(self.work, tasks, executor):
                    if error is not None:
                        failures.append(f"{missing[number].name}: {first_line(error)}")
                    bar.set_postfix_str(missing[number].name)
                    bar.update()
        if failures:
            more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
            raise UserError(f"{failures[0]}{more}; what is done is kept, run again to go on")
        return len(missing)

    def _task(self, run: Run) -> tuple:
        """What a worker needs for a run: arguments of `work`."""
        found = self.backbones.get(run.backbone)
        weights = (found.name, str(found.path), ",".join(found.layers)) if found else None
        return run, self.data_root, weights, str(self.path(run))

    @staticmethod
    def work(run: Run, data_root: str, weights: tuple[str, str, str] | None, path: str) -> None:
        """Measure in a worker; the maps come first: a JSON file that is there is complete."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):  # two experiments may want the same
            if target.is_file():
                return
            measurement, maps = measure(run, data_root, weights, target.parent / "untrained")
            with written_whole(target.with_suffix(".npz")) as beside:
                np.savez_compressed(beside, maps=maps.astype(np.float16))
            with written_whole(target) as beside:
                beside.write_text(measurement.model_dump_json())


def code_of(module: str, arm: str) -> str:
    """Hash of the code that a run of an arm uses, and of what computes with it."""
    versions = f"{torch.__version__} {PIL.__version__}"
    return (
        f"{versions} {code_hash(module, DETECTORS.module(arm), packages=('anomalylib', 'study'))}"
    )


def resolve_backbones(given: Sequence[str]) -> dict[str, Backbone]:
    """The backbones of an experiment, by name; the controls use the first.

    Parameters
    ----------
    given : sequence of str
        Weights files as ``path`` or ``name=path``; without any, torchvision's
        ResNet-50. A ResNet is cut after layer2. EfficientNet-Lite0 always joins.
    """
    found = {}
    for word in given or ["resnet50="]:
        name, equals, path = word.rpartition("=")
        layers = "" if path.endswith(".pt2") else "layer2"
        backbone = resolve_backbone("auto" if path else name, path, layers)
        found[name if equals else backbone.name] = backbone
    return found | {LITE0: resolve_backbone(LITE0)}

"""What was tried on the way to combined+, each judged alike: by pasted defects, then for real.

Settings were chosen by the pasted defects alone; the test images are judged by
the same fitted detectors, to see what that choice was worth.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from anomalylib.detectors.base import FeatureDetector
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.combined_plus import CombinedPlus
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.errors import UserError
from anomalylib.files import written_whole
from study.checkout import ROOT
from study.runs.experiment import Experiment, code_of
from study.runs.reference import write_tables
from study.tables.reference import REFERENCE
from study.trials import alternatives as tried
from study.trials.judged import Trial, judge

SMALL, LARGE = 224, 384


def _on(
    family: str, name: str, make: Callable[..., FeatureDetector], size: int = LARGE, **settings: Any
) -> Trial:
    return Trial(family, name, make, size, settings)


BASE, CHOSEN = "as in combined", "as chosen"
TRIALS = [
    _on("FeatCAE", BASE, Combined, SMALL),
    _on("FeatCAE", "latent 200, 8 epochs", Combined, SMALL, latent=200, epochs=8),
    _on("FeatCAE", "rare patches trained as often", tried.BalancedDetector, SMALL),
    _on("FeatCAE", "error relative to like patches", tried.RelativeDetector, SMALL),
    _on("FeatCAE", "residual whitened", tried.WhitenedDetector, SMALL),
    _on("FeatCAE", "384 pixels", Combined),
    _on("density", "one Gaussian", tried.ClusteredDetector, SMALL, clusters=1),
    _on("density", "64 Gaussians", tried.ClusteredDetector, SMALL, clusters=64),
    _on("patchcore", "224 pixels", PatchCore, SMALL),
    _on("patchcore", "384 pixels", PatchCore),
    _on("combined+", CHOSEN, CombinedPlus),
    _on("combined+", "nearest patch alone", CombinedPlus, neighbours=1),
    _on("combined+", "3 neighbours", CombinedPlus, neighbours=3),
    _on("combined+", "30 neighbours", CombinedPlus, neighbours=30),
    _on("combined+", "bank at random", tried.RandomBank),
    _on("combined+", "bank drawn, not spread", tried.DrawnBank),
    _on("combined+", "candidates at random", tried.UniformCandidates),
    _on("combined+", "bank of 1,024", CombinedPlus, bank=1024),
    _on("combined+", "bank of 8,192", CombinedPlus, bank=8192),
    _on("combined+", "64 axes", CombinedPlus, dimensions=64),
    _on("combined+", "all axes", CombinedPlus, dimensions=2048),
    _on("combined+", "224 pixels", CombinedPlus, SMALL),
    _on("combined+", "320 pixels", CombinedPlus, 320),
    _on("combined+", "448 pixels", CombinedPlus, 448),
]


class TrialRun(NamedTuple):
    """A trial on a category, with the first backbone."""

    trial: Trial
    category: str
    backbone: str

    @property
    def name(self) -> str:
        """A file name of its own."""
        words = f"{self.category} {self.trial.family} {self.trial.name}"
        return words.replace(" ", "-").replace(",", "")


@dataclass(frozen=True)
class Trials(Experiment):
    """Trials on one data set; see `Experiment`."""

    folder: Path = ROOT / "build" / "trials"

    def key(self, run: TrialRun) -> str:
        """Hash of all that the result depends on."""
        found, trial = self.backbones[run.backbone], run.trial
        said = [trial.make.__name__, trial.image_size, trial.settings, found.sha256, *found.layers]
        said += [self.fingerprint(run.category), code_of(__name__, "combined_plus")]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def load(self, run: TrialRun) -> dict[str, Any]:
        """The row of a trial that was measured."""
        path = self.path(run)
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            raise UserError(f"no trial to read at {path}: delete it and run again") from None

    @staticmethod
    def work(run: TrialRun, data_root: str, weights: tuple[str, str, str], path: str) -> None:
        """Measure in a worker."""
        torch.set_num_threads(1)
        row = {"family": run.trial.family, "trial": run.trial.name, "category": run.category}
        target = Path(path)
        row |= {"image_size": run.trial.image_size}
        row |= judge(run.trial, run.category, data_root, weights, target.parent / "features")
        with written_whole(target) as beside:
            beside.write_text(json.dumps(row))


def trial_runs(experiment: Trials, categories: list[str]) -> list[TrialRun]:
    """Every trial on every category, those of one image size after each other."""
    first = next(iter(experiment.backbones))
    order = sorted(TRIALS, key=lambda trial: trial.image_size)
    return [TrialRun(trial, category, first) for trial in order for category in categories]


def collect(
    experiment: Trials, runs: list[TrialRun], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make and write the tables ``trials`` and ``rarity``, in the order of `TRIALS`."""
    names = [(trial.family, trial.name) for trial in TRIALS]
    measured = [experiment.load(run) for run in runs]
    measured.sort(key=lambda row: names.index((row["family"], row["trial"])))
    rows, bins = [], []
    for each in measured:
        by_kind, by_bin = each.pop("by_kind"), each.pop("by_rarity")
        rows.append(each | by_kind)
        own = {key: each[key] for key in ("family", "trial", "category", "image_size")}
        bins += [own | row for row in by_bin]
    tables = {"trials": pd.DataFrame(rows), "rarity": pd.DataFrame(bins)}
    write_tables(tables, folder)
    return tables

"""The learning curve on real parts: many runs, each on some of the training images."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from anomalylib.errors import UserError
from anomalylib.files import written_whole
from anomalylib.images.category import load_category
from study.checkout import ROOT
from study.runs.experiment import Experiment, code_of
from study.runs.learning_curve import judge, sizes_up_to
from study.runs.measurement import Run, make_detector
from study.runs.reference import write_tables
from study.settings import make_settings
from study.tables.reference import REFERENCE

SEEDS = dict.fromkeys(("combined", "patchcore", "combined_plus"), 3)
"""How many each arm is measured with."""
SIZES = (10, 20, 50, 100, 200)
TRAINED = "combined"
"""The arm that trains in passes over its images: fewer images are fewer steps."""


class CurveRun(NamedTuple):
    """An arm that learns from some of a category's training images.

    Parameters
    ----------
    category, arm, backbone : str
    images : int
        How many.
    seed : int
        Of which, and of the training.
    equal_steps : bool
        Whether it passes over them so often that it takes as many steps as with all.
    """

    category: str
    arm: str
    backbone: str
    images: int
    seed: int
    equal_steps: bool = False

    @property
    def name(self) -> str:
        """A file name of its own."""
        name = f"{self.category}-{self.arm}-{self.backbone}-{self.images}-images-seed{self.seed}"
        return f"{name}-equal-steps" if self.equal_steps else name

    @property
    def plain(self) -> Run:
        """The run that learns from all of them."""
        own = self._asdict()
        del own["images"], own["equal_steps"]
        return Run(**own)

    def passes(self, total: int) -> dict[str, int]:
        """The setting of passes over its images, of `total`, where it is not the usual one."""
        if not self.equal_steps:
            return {}
        usual = make_settings(self.arm, {}).epochs
        return {"epochs": round(usual * total / self.images)}


@dataclass(frozen=True)
class Curve(Experiment):
    """Learning curves on one data set; see `Experiment`."""

    folder: Path = ROOT / "build" / "curve"

    def key(self, run: CurveRun) -> str:
        """Hash of all that the result depends on."""
        found = self.backbones[run.backbone]
        settings = make_settings(run.arm, {}).model_dump()
        said = [run, settings, self.fingerprint(run.category), found.sha256, *found.layers]
        said += [code_of(__name__, run.arm)]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def load(self, run: CurveRun) -> dict[str, Any]:
        """What a run gave: its ``row``, and all scores."""
        path = self.path(run)
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            raise UserError(f"no run to read at {path}: delete it and run again") from None

    @staticmethod
    def work(run: CurveRun, data_root: str, weights: tuple[str, str, str], path: str) -> None:
        """Measure in a worker, on one thread."""
        torch.set_num_threads(1)
        target = Path(path)
        category = load_category(data_root, run.category)
        passes = run.passes(len(category.train))
        changes = {"category": run.category, "seed": run.seed} | passes
        settings = make_settings(run.arm, changes)
        detector = make_detector(run.plain, settings, weights, target.parent / "untrained")
        judged = judge(detector, category, run.images, run.seed)
        own = {"category": run.category, "arm": run.arm, "backbone": run.backbone, "seed": run.seed}
        said = {
            "row": own | passes | judged.row(),
            "scores": judged.scores.tolist(),
            "nominal_scores": judged.nominal_scores.tolist(),
            "unlearned_scores": judged.unlearned_scores.tolist(),
        }
        with written_whole(target) as beside:
            beside.write_text(json.dumps(said))


def curve_runs(
    experiment: Curve, categories: Sequence[str], sizes: Sequence[int] = SIZES
) -> list[CurveRun]:
    """Every arm on every category with every size, seed by seed, so that a first look is early.

    What trains in passes also does so with as many steps as with all images.
    """
    first = next(iter(experiment.backbones))
    totals = {name: len(load_category(experiment.data_root, name).train) for name in categories}
    return [
        CurveRun(category, arm, first, images, seed, equal_steps)
        for seed in range(max(SEEDS.values()))
        for category, total in totals.items()
        for arm in SEEDS
        if seed < SEEDS[arm]
        for images in sizes_up_to(total, sizes)
        for equal_steps in ((False, True) if arm == TRAINED and images < total else (False,))
    ]


def collect(
    experiment: Curve, runs: list[CurveRun], folder: Path = REFERENCE
) -> dict[str, pd.DataFrame]:
    """Make and write the tables ``learning_curve`` and ``equal_steps``, one row a run."""

    def table(runs: list[CurveRun]) -> pd.DataFrame:
        return pd.DataFrame([experiment.load(run)["row"] for run in sorted(runs)])

    tables = {
        "learning_curve": table([run for run in runs if not run.equal_steps]),
        "equal_steps": table([run for run in runs if run.equal_steps]),
    }
    write_tables(tables, folder)
    return tables

"""The commands that measure: ``python -m study reference | sensitivity | curve | layers``."""

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomalylib.errors import UserError
from study.names import REPORTED

# Each module has ``open_experiment(data_root, backbones)``, ``plan(experiment, categories)``,
# which gives the runs, and ``collect(experiment, runs, folder)``, which writes their tables.
COMMANDS = {
    "reference": "study.runs.reference",
    "sensitivity": "study.runs.sensitivity",
    "curve": "study.runs.curve_runs",
    "layers": "study.runs.layer_runs",
}


def carry_out(
    command: str,
    *,
    categories: Sequence[str],
    data_root: str,  # folder of the categories
    weights: Sequence[str] = (),  # see `study.runs.experiment.resolve_backbones`
    jobs: int | None = None,  # see `study.runs.workers.workers`
    scheduler: str = "",
    output: str = "",  # folder of the tables; empty for the reference results of the book
    **part: Any,  # of the plan, where it can be taken in part: see `study.runs.plan.plan`
) -> str:
    """Measure what is missing, write the tables of a command and say in one line what was done."""
    from anomalylib.images.category import load_category
    from study.runs.experiment import resolve_backbones
    from study.tables.reference import REFERENCE

    if not data_root:
        raise UserError("real parts are needed: DATA_ROOT=data/mvtec, which `make data` fetches")
    categories = list(dict.fromkeys(categories))
    part = {name: value for name, value in part.items() if value}
    if part and command != "reference":
        raise UserError(f"{', '.join(part).upper()}: only `make reference` is measured in part")
    if not output and (part or not set(REPORTED) <= set(categories)):
        both = " and ".join(REPORTED)
        raise UserError(f"the book needs all runs, of {both} at least: give OUTPUT=folder")
    if not output and any(load_category(data_root, name).synthetic for name in categories):
        raise UserError("synthetic parts give no reference results: give OUTPUT=folder to try it")
    folder = Path(output) if output else REFERENCE
    start = time.perf_counter()
    module = importlib.import_module(COMMANDS[command])
    experiment = module.open_experiment(data_root, resolve_backbones(weights))
    runs = module.plan(experiment, categories, **part)
    measured = experiment.carry_out(runs, jobs, scheduler)
    module.collect(experiment, runs, folder)
    spent = time.perf_counter() - start
    return f"{measured} of {len(runs)} runs measured now, {spent:.0f} s; tables in {folder}"

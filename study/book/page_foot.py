"""What stands at the foot of every executed page: how to rerun it, what it is made of."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

import jinja2

from study.book.notebooks import Task, chapters, tables_read
from study.book.options import Study
from study.checkout import ROOT
from study.datacheck.check import load
from study.names import ARMS
from study.settings import make_settings
from study.tables.benchmarks import FILE as BENCHMARKS
from study.tables.benchmarks import read_benchmarks
from study.tables.results import Result, load_result, provenance_table

NOT_PLANNED = {"category", "data_root", "results_dir", "threads"}
NOT_PLANNED |= {"backbone", "weights", "layers", "chosen"}
MEASURED_BY = {"sensitivity.csv": "sensitivity", "literature.csv": "", BENCHMARKS: "bench"}
MEASURED_BY |= dict.fromkeys(("trials.csv", "rarity.csv"), "trials")
MEASURED_BY |= dict.fromkeys(("learning_curve.csv", "equal_steps.csv"), "curve")
"""What `make` calls the measuring of a table, where that is not ``reference``."""
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("study.book", "templates"), trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.filters["cell"] = lambda text: re.sub(r"[\\|*_`<{$\[\]!&]", r"\\\g<0>", text).replace(
    "\n", "<br>"
)


def command(task: Task, study: Study) -> str:
    """The command that makes a page again."""
    if task.notebook in chapters():
        words = ["make book", *(word for word in study.asked if "reference_dir" in word)]
    else:
        names = study.categories if task.notebook == "summary" else [task.subject]
        words = [f"make notebooks CATEGORIES={shlex.quote(' '.join(names))}", *study.asked]
    return " \\\n    ".join(words)


def measured_by(notebook: str) -> str:
    """The commands that measure what a chapter reads, if it reads any table."""
    if notebook not in chapters():
        return ""
    targets = dict.fromkeys(MEASURED_BY.get(name, "reference") for name in tables_read(notebook))
    *first, last = [f"`make {target}`" for target in targets if target] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def foot(task: Task, study: Study, executed: Mapping[str, Any], launch: str) -> str:
    """The last section of a page.

    Parameters
    ----------
    task : Task
        What made the page.
    study : Study
    executed : mapping
        Metadata of the executed notebook.
    launch : str
        Address that opens the notebook in a running environment; may be empty.

    Returns
    -------
    str
        MyST Markdown. Links to tables begin with ``/tables/``.
    """
    return TEMPLATES.get_template("foot.md.j2").render(
        command=command(task, study),
        measured_by=measured_by(task.notebook),
        page=task.page,
        tables=tables_of(task),
        launch=launch,
        source=f"notebooks/{task.notebook}.ipynb",
        rows=_page_rows(executed) | _data_rows(task, study),
    )


def tables_of(task: Task) -> list[str]:
    """Names of the files that hold the data of a page's figures."""
    if task.notebook in chapters():
        return list(tables_read(task.notebook))
    if task.notebook == "summary":
        return [f"build/{name}.csv" for name in task.parameters["categories"]]
    if task.notebook == "data" or makes_table(task):
        return [f"build/{task.subject}-{task.notebook}.csv"]
    return [f"build/{task.subject}.csv"]


def makes_table(task: Task) -> bool:
    """Whether a notebook of this build writes a table of its own in place of results."""
    return task.makes is not None and task.makes.suffix == ".csv"


def results_of(task: Task, study: Study) -> list[Result]:
    """The results that a page of this build shows."""
    categories = study.categories if task.notebook == "summary" else (task.subject,)
    arms = (task.notebook,) if task.notebook in ARMS else ARMS
    folder = study.folder / "results"
    return [load_result(folder, name, arm, study.seed) for name in categories for arm in arms]


def _page_rows(executed: Mapping[str, Any]) -> dict[str, str]:
    """When, from which commit and with which packages the notebook was executed."""
    timed = executed.get("papermill", {})
    return {
        "executed": f"{str(timed.get('end_time', 'unknown'))[:16].replace('T', ' ')} UTC",
        "wall time": f"{timed.get('duration', float('nan')):.1f} s",
        "commit": executed["study"]["commit"],
        "drawn with": _pairs(executed["study"]["versions"]),
    }


def _data_rows(task: Task, study: Study) -> dict[str, str]:
    """What the numbers of a page were made of."""
    if task.notebook == "data":
        look, _ = load(study.folder / "results", task.subject, study.seed)
        counts = ", ".join(f"{count} {kind}" for kind, count in look["counts"].items())
        data = f"{look['dataset']}, {look['category']}, SHA-256 {look['fingerprint'][:16]}…"
        return {"data": data, "images": counts}
    if makes_table(task):
        planned = make_settings(task.notebook, task.parameters).model_dump(exclude=NOT_PLANNED)
        return {
            "data": f"{study.dataset}, {task.subject}",
            "backbone": f"{study.backbone}, SHA-256 {study.backbone.sha256[:16]}…",
            "parameters": _pairs(planned, "="),
        }
    if task.notebook not in chapters():
        return provenance_table(results_of(task, study))
    folder = ROOT / task.parameters.get("reference_dir", "data/reference")
    if BENCHMARKS in tables_read(task.notebook):
        machine = read_benchmarks(folder)[1]
        return {f"measured: {what}": str(text) for what, text in machine.items()}
    if not tables_read(task.notebook):
        return {}
    return reference_rows(json.loads((folder / "provenance.json").read_text()))


def reference_rows(provenance: Mapping[str, Any]) -> dict[str, str]:
    """What the reference results were made of, from their ``provenance.json``."""
    data = [
        f"{each['dataset']}, {name}, SHA-256 {each['sha256'][:16]}…, {_counts(each['images'])}"
        for name, each in provenance["data"].items()
    ]
    backbones = [
        f"{name}: {each['path']}, SHA-256 {each['sha256'][:16]}…"
        for name, each in provenance["backbones"].items()
    ]
    settings = [f"{arm}: {_pairs(each, '=')}" for arm, each in provenance["settings"].items()]
    return {
        "data": "\n".join(data),
        "backbones": "\n".join(backbones),
        "parameters": "\n".join(settings),
        "measured with": _pairs(provenance["versions"]),
        "machine": "\n".join(provenance["machines"]),
        "runs": f"{provenance['runs']}, {provenance['processor_hours']} processor hours",
        "measured": " to ".join(provenance["measured"]),
        "commit of the tables": provenance["commit"],
    }


def _pairs(values: Mapping[str, Any], sign: str = " ") -> str:
    return ", ".join(f"{name}{sign}{value}" for name, value in values.items())


def _counts(images: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {folder}" for folder, count in images.items())

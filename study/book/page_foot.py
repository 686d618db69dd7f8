"""What stands at the foot of every executed page: how to rerun it, what it is made of."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from study.book.notebooks import Task
from study.book.options import Study
from study.checkout import ROOT
from study.datacheck.check import load
from study.names import ARMS
from study.settings import EVIDENCE, evidence_files, make_settings
from study.tables.benchmarks import read_benchmarks
from study.tables.results import Result, load_result, provenance_table

SAID_APART = {"category", "data_root", "results_dir", "threads"}
SAID_APART |= {"backbone", "weights", "layers", "chosen"}


def command(task: Task, study: Study) -> str:
    """The command that makes a page again."""
    if task.notebook in EVIDENCE:
        own = [option for option in study.options if "reference_dir" in option]
        return " \\\n    ".join(["make book", *own])
    names = task.subject if task.notebook != "summary" else " ".join(study.categories)
    words = f"make notebooks CATEGORIES={shlex.quote(names)}"
    return " \\\n    ".join([words, *study.options])


def measured_by(notebook: str) -> str:
    """The commands that measure what a chapter reads, if it reads any table."""
    tables = EVIDENCE.get(notebook, ())
    made = {"sensitivity": "sensitivity", "literature": "", "benchmarks.json": "bench"}
    made |= dict.fromkeys(("trials", "rarity"), "trials")
    made |= dict.fromkeys(("learning_curve", "equal_steps"), "curve")
    targets = dict.fromkeys(made.get(table, "reference") for table in tables)
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
    source = f"notebooks/{task.notebook}.ipynb"
    lines = ["## Rerun this page", "", "```", command(task, study), "```", ""]
    if again := measured_by(task.notebook):
        again = f"draws it from the committed tables; {again}, with `DATA_ROOT=data/mvtec`,"
        lines += [f"{again} measures those again.", ""]
    source_of = "../" * task.page.count("/") + f"_sources/{task.page}.ipynb"
    files = [f'<a href="{source_of}" download>the executed notebook</a>']
    files += [f"{{download}}`{name} </tables/{name}>`" for name in tables_of(task)]
    files += [f"[run it in your browser]({launch})"] if launch else []
    lines += [f"**Take it with you:** {', '.join(files)}. The code is `{source}`.", ""]
    lines += [":::{admonition} Provenance", ":class: dropdown provenance", ""]
    lines += ["| what | of this page |", "| --- | --- |"]
    rows = _page_rows(executed) | _data_rows(task, study)
    lines += [f"| {what} | {_cell(said)} |" for what, said in rows.items()]
    return "\n".join([*lines, ":::", ""])


def tables_of(task: Task) -> list[str]:
    """Names of the files that hold the data of a page's figures."""
    if task.notebook in EVIDENCE:
        return evidence_files(task.notebook)
    if task.notebook == "summary":
        return [f"build/{name}.csv" for name in task.parameters["categories"].split(",")]
    if task.notebook == "data":
        return [f"build/{task.subject}-data.csv"]
    if makes_table(task):
        return [f"build/{task.subject}-{task.notebook}.csv"]
    return [f"build/{task.subject}.csv"]


def makes_table(task: Task) -> bool:
    """Whether a notebook of this build writes a table of its own in place of results."""
    return task.makes is not None and task.makes.suffix == ".csv"


def results_of(task: Task, study: Study) -> list[Result]:
    """The results that a page of this build shows."""
    names = study.categories if task.notebook == "summary" else (task.subject,)
    arms = (task.notebook,) if task.notebook in ARMS else ARMS
    folder = study.folder / "results"
    return [load_result(folder, name, arm, study.seed) for name in names for arm in arms]


def _page_rows(executed: Mapping[str, Any]) -> dict[str, str]:
    """When, from which commit and with which packages the notebook was executed."""
    timed = executed.get("papermill", {})
    kept = executed["study"].get("versions", {})  # earlier runs have not noted them
    versions = [f"{name} {number}" for name, number in kept.items()]
    return {
        "executed": f"{str(timed.get('end_time', 'unknown'))[:16].replace('T', ' ')} UTC",
        "wall time": f"{timed.get('duration', float('nan')):.1f} s",
        "commit": executed["study"]["commit"],
        "drawn with": ", ".join(versions) or "unknown",
    }


def _data_rows(task: Task, study: Study) -> dict[str, str]:
    """What the numbers of a page were made of."""
    if task.notebook == "data":
        said, _ = load(study.folder / "results", task.subject, study.seed)
        counts = ", ".join(f"{count} {kind}" for kind, count in said["counts"].items())
        data = f"{said['dataset']}, {said['category']}, SHA-256 {said['fingerprint'][:16]}…"
        return {"data": data, "images": counts}
    if makes_table(task):
        return planned_rows(task, study)
    if task.notebook not in EVIDENCE:
        return provenance_table(results_of(task, study))
    folder = ROOT / task.parameters.get("reference_dir", "data/reference")
    if task.notebook == "cost":
        machine = read_benchmarks(folder)[1]
        return {f"measured: {what}": str(said) for what, said in machine.items()}
    path = folder / "provenance.json"
    return reference_rows(json.loads(path.read_text())) if EVIDENCE[task.notebook] else {}


def planned_rows(task: Task, study: Study) -> dict[str, str]:
    """What a page without results was made of, from its plan."""
    own = make_settings(task.notebook, task.parameters).model_dump(exclude=SAID_APART)
    return {
        "data": f"{study.dataset}, {task.subject}",
        "backbone": f"{study.backbone}, SHA-256 {study.backbone.sha256[:16]}…",
        "parameters": ", ".join(f"{key}={value}" for key, value in own.items()),
    }


def reference_rows(said: Mapping[str, Any]) -> dict[str, str]:
    """What the reference results were made of, from their ``provenance.json``."""
    data = [
        f"{found['dataset']}, {name}, SHA-256 {found['sha256'][:16]}…, "
        + ", ".join(f"{count} {folder}" for folder, count in found["images"].items())
        for name, found in said["data"].items()
    ]
    backbones = [
        f"{name}: {found['path']}, SHA-256 {found['sha256'][:16]}…"
        for name, found in said["backbones"].items()
    ]
    settings = [
        f"{arm}: " + ", ".join(f"{key}={value}" for key, value in own.items())
        for arm, own in said["settings"].items()
    ]
    return {
        "data": _lines(data),
        "backbones": _lines(backbones),
        "parameters": _lines(settings),
        "measured with": ", ".join(f"{key} {value}" for key, value in said["versions"].items()),
        "machine": _lines(said["machines"]),
        "runs": f"{said['runs']}, {said['processor_hours']} processor hours",
        "measured": " to ".join(said["measured"]),
        "commit of the tables": said["commit"],
    }


def _lines(parts: Sequence[str]) -> str:
    return "\n".join(parts)


def _cell(text: str) -> str:
    """Text in one cell of a Markdown table, as it stands."""
    for sign in "\\|*_`<{$[]!&":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", "<br>")

"""Execute the notebooks with papermill: those that are stale, on some workers."""

import hashlib
import json
import logging
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from anomalylib.data import load_category
from anomalylib.errors import StudyError, first_line
from anomalylib.files import ROOT, commit, from_root, sha256_of
from anomalylib.results import result_path
from anomalylib.settings import ARMS, EVIDENCE, PARTS, SETTINGS, make_settings, unknown_parameter

SOURCES = ROOT / "notebooks"
# Modules that no result depends on: they may change without a rerun.
AROUND = {
    "__main__",
    "book",
    "download",
    "foot",
    "headline",
    "pages",
    "pdf",
    "run",
    "site",
    "study",
}
# Modules that only the chapters on the reference results use.
BEYOND_ARMS = {"charts", "comparisons", "controls", "diagnostics", "diagrams", "experiment"}
BEYOND_ARMS |= {"measurement", "pixels", "prose", "reference", "sensitivity", "tables"}


@dataclass(frozen=True)
class Task:
    """One notebook to execute once.

    Parameters
    ----------
    notebook : str
        A key of `SETTINGS`.
    subject : str
        What it is about, for messages: a category, or all of them.
    parameters : dict
        Passed to papermill.
    output : Path
        The executed notebook.
    key : str
        Hash of all that the output depends on.
    page : str
        Where it stands in the book, without suffix.
    makes : Path or None
        The result file that it writes.
    """

    notebook: str
    subject: str
    parameters: dict[str, Any]
    output: Path
    key: str
    page: str = ""
    makes: Path | None = None

    @property
    def stale(self) -> bool:
        """Whether it must be executed: not there yet, or made of other things."""
        if not self.output.is_file() or (self.makes and not self.makes.is_file()):
            return True
        metadata = json.loads(self.output.read_text())["metadata"]
        return metadata.get("study", {}).get("key") != self.key

    @property
    def partial(self) -> Path:
        """Where papermill writes until the notebook is complete."""
        return self.output.with_suffix(".partial.ipynb")


def plan(
    folder: Path,
    categories: Sequence[str],
    data_root: Path,
    weights_sha256: str,
    given: dict[str, dict[str, Any]],
) -> list[list[Task]]:
    """The notebooks of a study in stages; each stage needs those before it.

    Parameters
    ----------
    folder : Path
        Where results and executed notebooks go.
    categories : sequence of str
    data_root : Path
        The folder of the categories.
    weights_sha256 : str
        Of the backbone's weights file.
    given : dict of dict
        Parameters by notebook, for all but `category` and `results_dir`.

    Returns
    -------
    list of list of Task
        The arms and the chapters on the reference results, then one ablation a
        category, then the summary.

    Raises
    ------
    StudyError
        If a parameter or a category is wrong.
    """
    seed = given["summary"]["seed"]
    results, notebooks = folder / "results", folder / "notebooks" / f"seed{seed}"
    code, all_code = _library_hash(AROUND | BEYOND_ARMS), _library_hash(AROUND)
    data = {name: load_category(data_root, name).fingerprint for name in categories}

    def task(notebook: str, category: str | None, depends: list[str]) -> Task:
        own = {"category": category} if category else {"categories": ",".join(categories)}
        parameters = given[notebook] | own | {"results_dir": from_root(results)}
        make_settings(notebook, parameters)
        source = sha256_of(SOURCES / f"{notebook}.ipynb")
        said = json.dumps([source, code, parameters, depends], sort_keys=True)
        makes = result_path(results, category, notebook, seed) if notebook in ARMS else None
        name = f"{category}/{notebook}" if category else notebook
        return Task(
            notebook=notebook,
            subject=category or "all categories",
            parameters=parameters,
            output=notebooks / f"{name}.ipynb",
            key=hashlib.sha256(said.encode()).hexdigest(),
            page=f"results/{name}",
            makes=makes,
        )

    def chapter(notebook: str, category: str | None = None) -> Task:
        parameters = given[notebook] | ({"category": category} if category else {})
        read = ROOT / make_settings(notebook, parameters).reference_dir
        files = [read / f"{table}.csv" for table in EVIDENCE[notebook]] + [read / "provenance.json"]
        tables = [sha256_of(path) for path in files if path.is_file()]
        source = sha256_of(SOURCES / f"{notebook}.ipynb")
        said = json.dumps([source, all_code, parameters, tables], sort_keys=True)
        name = category or notebook
        return Task(
            notebook=notebook,
            subject=category or "reference results",
            parameters=parameters,
            output=folder / "notebooks" / "chapters" / f"{name}.ipynb",
            key=hashlib.sha256(said.encode()).hexdigest(),
            page="index" if notebook == "landing" else f"chapters/{name}",
        )

    arms = [task(arm, name, [data[name], weights_sha256]) for arm in ARMS for name in categories]
    ablations = [
        task("ablation", name, [each.key for each in arms if each.subject == name])
        for name in categories
    ]
    chapters = [chapter(notebook) for notebook in EVIDENCE if notebook != "category"]
    chapters += [chapter("category", name) for name in PARTS]
    return [arms + chapters, ablations, [task("summary", None, [each.key for each in ablations])]]


def split_parameters(pairs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each parameter to the notebooks that know it.

    ``epochs`` goes to every notebook with that parameter, ``combined.epochs``
    to that one only.

    Raises
    ------
    StudyError
        If no notebook knows a name.
    """
    given: dict[str, dict[str, Any]] = {notebook: {} for notebook in SETTINGS}
    for name, value in sorted(pairs.items(), key=lambda pair: "." in pair[0]):
        *only, field = name.split(".")
        asked = [notebook for notebook in SETTINGS if not only or [notebook] == only]
        knowing = [notebook for notebook in asked if field in SETTINGS[notebook].model_fields]
        if not knowing:
            raise StudyError(unknown_parameter(name, asked or list(SETTINGS)))
        for notebook in knowing:
            given[notebook][field] = value
    return given


def execute(task: Task) -> str | None:
    """Execute one notebook; return what went wrong, or None.

    papermill writes to a partial file, which is renamed when all is done and
    left to look at when a cell fails. What an earlier run has left goes first:
    its result may be overwritten before this run ends or is killed, and must
    not pass for its own then.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.ERROR)  # parameters are checked in `plan`
    task.output.parent.mkdir(parents=True, exist_ok=True)
    task.output.unlink(missing_ok=True)
    who = f"notebook {task.notebook} ({task.subject})"
    look = f"look at {task.partial}"
    try:
        done = papermill.execute_notebook(
            SOURCES / f"{task.notebook}.ipynb",
            task.partial,
            task.parameters,
            cwd=ROOT,
            kernel_name="python3",
            extra_arguments=["--log-level=CRITICAL", "--InlineBackend.figure_formats=['svg']"],
            progress_bar=False,
        )
    except PapermillExecutionError as error:
        cell, why = error.cell_index + 1, f"{error.ename}: {first_line(error.evalue)}"
        return f"{who} failed in cell {cell}: {why}; {look}"
    except Exception as error:  # a dead kernel, a full disk: name the notebook all the same
        return f"{who} did not finish: {first_line(error)}; {look}"
    done.metadata["study"] = {"key": task.key, "commit": commit()}
    task.partial.write_text(json.dumps(done, indent=1))
    task.partial.replace(task.output)
    return None


def run_stages(stages: list[list[Task]], executor: Executor) -> int:
    """Execute the stale notebooks, stage by stage.

    Parameters
    ----------
    stages : list of list of Task
        From `plan`.
    executor : Executor
        Of `concurrent.futures`, or anything that speaks like it.

    Returns
    -------
    int
        How many notebooks were executed.

    Raises
    ------
    StudyError
        If any failed; the others of its stage are finished first.
    """
    stale = [[task for task in stage if task.stale] for stage in stages]
    count = sum(map(len, stale))
    with tqdm(total=count, desc="notebooks", unit="notebook", disable=count == 0) as bar:
        for stage in stale:
            failures: list[str] = []
            futures = {executor.submit(execute, task): task for task in stage}
            try:
                for future in as_completed(futures):
                    task = futures[future]
                    failures += filter(None, [_outcome(future, task)])
                    bar.set_postfix_str(f"{task.notebook} {task.subject} done")
                    bar.update()
            finally:
                for future in futures:
                    future.cancel()  # after an interrupt, those that still wait
            if failures:
                more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
                raise StudyError(failures[0] + more)
    return count


def workers(jobs: int) -> ProcessPoolExecutor:
    """Processes on this machine, each driving one notebook at a time."""
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _outcome(future, task: Task) -> str | None:
    """What `execute` returned, or that its worker died."""
    try:
        return future.result()
    except BrokenProcessPool:
        return f"notebook {task.notebook} ({task.subject}): its worker was killed; run again"


def _library_hash(without: set[str]) -> str:
    """Hash of the library's modules but some."""
    modules = sorted(p for p in Path(__file__).parent.glob("*.py") if p.stem not in without)
    return hashlib.sha256("".join(sha256_of(path) for path in modules).encode()).hexdigest()

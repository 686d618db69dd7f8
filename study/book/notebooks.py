"""Which notebooks a study has, with which parameters, and what each of them depends on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalylib.errors import UserError
from anomalylib.files import sha256_of
from anomalylib.images.category import load_category
from study.checkout import ROOT, from_root
from study.names import ARMS, PARTS
from study.settings import EVIDENCE, SETTINGS, evidence_files, make_settings, unknown_parameter
from study.tables.results import result_path

SOURCES = ROOT / "notebooks"
# Modules that no result depends on: they may change without a rerun.
AROUND = {"__main__", "book", "download", "engine", "foot", "headline", "pages", "pdf", "plan"}
AROUND |= {"run", "site", "study"}
# Modules that only the chapters on the reference results use.
BEYOND_ARMS = {"charts", "comparisons", "controls", "curve_runs", "diagnostics", "diagrams"}
BEYOND_ARMS |= {"experiment", "explorer", "judged", "measurement", "pasted", "pixels", "prose"}
BEYOND_ARMS |= {"rarity", "reference", "sensitivity", "signatures", "sketch", "tables"}
BEYOND_ARMS |= {"trial_figures", "trials", "tried"}
# Modules for use on one's own parts.
BEYOND_ARMS |= {"bracket", "export", "graphs", "inspection", "inspection_figures", "report"}
BEYOND_ARMS |= {"walkthrough"}
# Modules of the look at the data.
BEYOND_ARMS |= {"check_figures", "checks", "copies", "file_checks", "survey", "verdicts"}


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
        The result file or the table that it writes.
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
        try:
            metadata = json.loads(self.output.read_text())["metadata"]
            return metadata.get("study", {}).get("key") != self.key
        except (ValueError, LookupError, AttributeError, TypeError):  # damaged from outside
            return True

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
        A look at the data of each category, the arms, the learning curves and the
        chapters on the reference results; then one ablation a category; then
        the summary.

    Raises
    ------
    UserError
        If a parameter or a category is wrong.
    """
    seed = given["summary"]["seed"]
    results, notebooks = folder / "results", folder / "notebooks" / f"seed{seed}"
    code, all_code = _library_hash(AROUND | BEYOND_ARMS), _library_hash(AROUND)
    data = {name: load_category(data_root, name).fingerprint for name in categories}

    def task(notebook: str, category: str | None, depends: list[str]) -> Task:
        own = {"category": category} if category else {"categories": ",".join(categories)}
        used = all_code if notebook == "data" else code
        parameters = given[notebook] | own | {"results_dir": from_root(results)}
        make_settings(notebook, parameters)
        source = sha256_of(SOURCES / f"{notebook}.ipynb")
        said = json.dumps([source, used, parameters, depends], sort_keys=True)
        makes = None
        if notebook in (*ARMS, "data", "learning_curve"):
            makes = result_path(results, category, notebook, seed)
        if notebook == "learning_curve":
            makes = makes.with_suffix(".csv")
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
        files = [read / name for name in (*evidence_files(notebook), "provenance.json")]
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

    looks = [task("data", name, [data[name]]) for name in categories]
    arms = [task(arm, name, [data[name], weights_sha256]) for arm in ARMS for name in categories]
    curves = [task("learning_curve", name, [data[name], weights_sha256]) for name in categories]
    ablations = [
        task("ablation", name, [each.key for each in arms if each.subject == name])
        for name in categories
    ]
    chapters = [chapter(notebook) for notebook in EVIDENCE if notebook != "category"]
    chapters += [chapter("category", name) for name in PARTS]
    first = looks + arms + curves + chapters
    return [first, ablations, [task("summary", None, [each.key for each in ablations])]]


def split_parameters(pairs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each parameter to the notebooks that know it.

    ``epochs`` goes to every notebook with that parameter, ``combined.epochs``
    to that one only.

    Raises
    ------
    UserError
        If no notebook knows a name.
    """
    given: dict[str, dict[str, Any]] = {notebook: {} for notebook in SETTINGS}
    for name, value in sorted(pairs.items(), key=lambda pair: "." in pair[0]):
        *only, field = name.split(".")
        asked = [notebook for notebook in SETTINGS if not only or [notebook] == only]
        knowing = [notebook for notebook in asked if field in SETTINGS[notebook].model_fields]
        if not knowing:
            raise UserError(unknown_parameter(name, asked or list(SETTINGS)))
        for notebook in knowing:
            given[notebook][field] = value
    return given


def _library_hash(without: set[str]) -> str:
    """Hash of the library's modules but some."""
    modules = sorted(p for p in Path(__file__).parent.glob("*.py") if p.stem not in without)
    return hashlib.sha256("".join(sha256_of(path) for path in modules).encode()).hexdigest()

"""Which notebooks a study has, with which parameters, and what each of them depends on."""

import ast
import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalylib.detectors.registry import DETECTORS
from anomalylib.errors import UserError
from anomalylib.files import sha256_of
from anomalylib.images.category import Category
from anomalylib.sources import code_hash, imported
from study.checkout import ROOT, from_root
from study.names import MODELS
from study.settings import APART, make_settings, settings_of, typed, unknown_parameter
from study.tables.benchmarks import FILE as BENCHMARKS
from study.tables.reference import parts
from study.tables.results import data_key, result_path, shared_features

SOURCES = ROOT / "notebooks"
PACKAGES = ("anomalylib", "study")
KEEPING = (*MODELS, "data", "learning_curve")  # notebooks that write a result or a table
READERS = {"read_table": "csv", "read_tables": "csv", "read_arrays": "npz"}
"""By which a page asks for tables and arrays, by their names, and the suffix of their files."""


@dataclass(frozen=True)
class Task:
    """One notebook to execute once."""

    notebook: str
    subject: str  # for messages: a category, or all of them
    parameters: dict[str, Any]
    output: Path  # the executed notebook
    key: str  # hash of all that the output depends on
    page: str = ""  # where it stands in the book, without suffix
    makes: Path | None = None  # the result file or the table that it writes

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


@functools.cache
def names() -> tuple[str, ...]:
    """All notebooks, by name."""
    return tuple(sorted(path.stem for path in SOURCES.glob("*.ipynb")))


@functools.cache
def chapters() -> tuple[str, ...]:
    """The notebooks that read the reference results, or none: those with a ``reference_dir``."""
    return tuple(name for name in names() if "reference_dir" in settings_of(name).model_fields)


@functools.cache
def code_of(notebook: str) -> ast.Module:
    """The code cells of a notebook, as one piece of code."""
    cells = json.loads((SOURCES / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return ast.parse("\n".join(code))


@functools.cache
def tables_read(notebook: str) -> tuple[str, ...]:
    """Files of the reference results that a notebook asks for in its code: by name, or it errs."""
    files: dict[str, None] = {}
    for call in (node for node in ast.walk(code_of(notebook)) if isinstance(node, ast.Call)):
        function = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if function == "read_benchmarks":
            files[BENCHMARKS] = None
        elif function in READERS:
            tables = call.args if function == "read_tables" else call.args[:1]
            if not tables or not all(isinstance(name, ast.Constant) for name in tables):
                words = f"{ast.unparse(call)!r} must name its tables as plain text"
                raise UserError(f"notebook {notebook}: {words}")
            files |= {f"{name.value}.{READERS[function]}": None for name in tables}
    return tuple(files)


def code_key(notebook: str, model: str | None = None) -> str:
    """Hash of a notebook, of all that its code imports, and of the model that it is about."""
    modules = set(imported(code_of(notebook), PACKAGES))
    modules |= {DETECTORS.module(model)} if model else set()
    return f"{sha256_of(SOURCES / f'{notebook}.ipynb')} {code_hash(*modules, packages=PACKAGES)}"


def key_of(categories: Sequence[Category]) -> str:
    """A short name for the data of some categories together."""
    return _hash(sorted(map(data_key, categories)))[:8]


def plan(
    folder: Path,
    categories: Sequence[Category],
    weights_sha256: str,
    given: dict[str, dict[str, Any]],
    with_chapters: bool = True,
) -> list[list[Task]]:
    """The notebooks of a study in stages; each stage needs those before it.

    First a look at the data of each category, whose verdicts go with the detectors; then the
    models, the learning curves and, if asked for, the chapters; then one ablation a category;
    then the summary. Results and executed notebooks go to `folder`, those of different images
    apart; `given` has the parameters by notebook, all but a category and ``results_dir``. What
    is wrong with one is a `UserError`.
    """
    seed = given["summary"].get("seed", 0)
    results, executed = folder / "results", folder / "notebooks"
    names = [category.name for category in categories]
    _check_features(given)

    def task(notebook: str, category: Category | None, depends: list[str]) -> Task:
        subject = {"category": category.name} if category else {"categories": names}
        parameters = given[notebook] | subject | {"results_dir": from_root(results)}
        settings = make_settings(notebook, parameters)
        model = notebook if notebook in DETECTORS else getattr(settings, "model", None)
        makes = result_path(results, category, notebook, seed) if notebook in KEEPING else None
        if notebook == "learning_curve":
            makes = makes.with_suffix(".csv")
        place = f"{data_key(category)}/{notebook}" if category else f"{notebook}-{together}"
        output = executed / f"seed{seed}" / f"{place}.ipynb"
        key = _hash(code_key(notebook, model), parameters, depends)
        page = f"results/{category.name}/{notebook}" if category else f"results/{notebook}"
        whose = category.name if category else "all categories"
        return Task(notebook, whose, parameters, output, key, page, makes)

    def chapter(notebook: str, category: str = "") -> Task:
        parameters = given[notebook] | ({"category": category} if category else {})
        reference = ROOT / make_settings(notebook, parameters).reference_dir
        files = [reference / name for name in (*tables_read(notebook), "provenance.json")]
        tables = [sha256_of(path) for path in files if path.is_file()]
        name, whose = category or notebook, category or "reference results"
        output = executed / "chapters" / f"{name}.ipynb"
        key = _hash(code_key(notebook), parameters, tables)
        page = "index" if notebook == "landing" else f"chapters/{name}"
        return Task(notebook, whose, parameters, output, key, page)

    together = key_of(categories)
    looks = [task("data", each, [each.fingerprint]) for each in categories]
    models, ablations = [], []
    for notebook in (*MODELS, "learning_curve"):
        models += [task(notebook, each, [each.fingerprint, weights_sha256]) for each in categories]
    for each in categories:
        own = [t.key for t in models if t.subject == each.name and t.notebook in MODELS]
        ablations.append(task("ablation", each, own))
    if with_chapters:
        reference = make_settings("category", given["category"]).reference_dir
        looks += [chapter("category", name) for name in parts(reference)]
        models += [chapter(notebook) for notebook in chapters() if notebook != "category"]
        models.sort(key=lambda task: task.notebook != "your_parts")  # it fits, and takes longest
    return [looks, models, ablations, [task("summary", None, [each.key for each in ablations])]]


def _check_features(given: dict[str, dict[str, Any]]) -> None:
    """Refuse, before anything runs, what the tables could not compare at the end."""
    first: dict[str, tuple[str, Any]] = {}
    for model in MODELS:
        settings = make_settings(model, given[model]).model_dump()
        usual = getattr(DETECTORS[model], "IMAGE_SIZE", None)
        for what, value in shared_features(settings, usual).items():
            other, theirs = first.setdefault(what, (model, value))
            if value != theirs:
                name = what.partition(",")[0]
                both = f"{model}.{name}={value} beside {other}.{name}={theirs}"
                raise UserError(f"{both}: no table compares them, give {name} without a dot")


def split_parameters(pairs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each parameter to the notebooks that know it, and refuse one that none knows.

    ``epochs`` goes to every notebook with that parameter, ``combined.epochs`` to that one only.
    """
    of_a_build = [name for name in names() if name != "inspect"]
    given: dict[str, dict[str, Any]] = {name: {} for name in of_a_build}
    for name, value in sorted(pairs.items(), key=lambda pair: "." in pair[0]):
        *only, field = name.split(".")
        asked = [each for each in of_a_build if not only or [each] == only]
        knowing = [each for each in asked if field in settings_of(each).model_fields]
        if not knowing:
            known = asked or [each for each in of_a_build if each in (*MODELS, *APART)]
            raise UserError(unknown_parameter(name, known))
        for notebook in knowing:
            kind = settings_of(notebook).model_fields[field].annotation
            given[notebook][field] = typed(name, kind, value)
    return given


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

"""From executed notebooks to pages: titles, captions, folded code, the foot, the tables."""

import ast
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import jinja2

from anomalylib.errors import UserError
from study.book.notebooks import Task, chapters, tables_read
from study.book.options import Study
from study.checkout import ROOT
from study.datacheck.check import load
from study.names import MODELS, label
from study.settings import make_settings
from study.tables.benchmarks import FILE as BENCHMARKS
from study.tables.benchmarks import machine_rows, read_benchmarks
from study.tables.results import Result, image_table, load_result, load_results, provenance_table

CAPTION = "**Figure.** "
PANEL = "more-panels"  # the tag of a cell with one more panel of the figure before it
FENCED = re.compile(r"^(`{3,}|:{3,}).*?^\1$", re.DOTALL | re.MULTILINE)
GLUED = re.compile(r"\{glue:text\}`([^`]*)`")
FAULTS = "faults.csv"  # what was tried against the study, for the page on methods
WITH_TABLES = ("data", "learning_curve")  # notebooks of a build that write a table of their own
NOT_PLANNED = {"category", "data_root", "results_dir", "threads"}
NOT_PLANNED |= {"backbone", "weights", "layers", "chosen"}
TABS = {name: label(name) for name in MODELS}
TABS |= {"ablation": "comparison", "data": "data", "learning_curve": "how many images"}
"""What the pages of a category are called in the row of tabs at their top."""
MEASURED_BY = {"sensitivity.csv": "sensitivity", "literature.csv": "", BENCHMARKS: "bench"}
MEASURED_BY |= dict.fromkeys(("trials.csv", "rarity.csv"), "")
MEASURED_BY |= dict.fromkeys(("layers.csv", "layer_scores.csv"), "layers")
MEASURED_BY |= dict.fromkeys(("learning_curve.csv", "equal_steps.csv"), "curve")
"""What `make` calls the measuring of a table, where that is not ``reference``."""
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("study.book", "templates"), trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.filters["cell"] = lambda text: re.sub(r"[\\|*_`<{$\[\]!&]", r"\\\g<0>", text).replace(
    "\n", "<br>"
)


def page(task: Task, study: Study, repository: Mapping[str, str]) -> dict:
    """An executed notebook as a page of the book; for its repository see `launch_address`."""
    notebook = json.loads(task.output.read_text())
    if category := task.parameters.get("category", ""):
        put_category(notebook, category, "" if task.notebook in chapters() else ", this build")
    caption_figures(notebook)
    describe(notebook)
    fold_code(notebook)
    if task.notebook not in chapters():
        head(notebook, task, study)
    launch = launch_address(repository, f"notebooks/{task.notebook}.ipynb")
    last = {"cell_type": "markdown", "id": "foot", "metadata": {}}
    last["source"] = foot(task, study, notebook["metadata"], launch)
    notebook["cells"].append(last)
    return notebook


def tables(study: Study) -> dict[str, bytes]:
    """The data of all pages: those of the chapters and of the build's categories."""
    files = {FAULTS: (ROOT / "data" / "reference" / FAULTS).read_bytes()}
    for task in study.tasks:
        if task.notebook in chapters():
            folder = _reference(task)
            files |= {name: (folder / name).read_bytes() for name in tables_read(task.notebook)}
        elif task.notebook in WITH_TABLES:
            (name,) = _tables_of(task)
            files[name] = task.makes.with_suffix(".csv").read_bytes()
        elif task.notebook == "ablation":
            (name,) = _tables_of(task)
            files[name] = image_table(results_of(task, study)).to_csv(index=False).encode()
    return files


def put_category(notebook: dict, category: str, whose: str = "") -> None:
    """Name the category in the title, and wherever the page says ``{category}``."""
    first = notebook["cells"][0]
    text = "".join(first["source"])
    if not text.startswith("# "):
        raise UserError("a notebook of the book must begin with its title, '# …'")
    name = category.replace("_", " ")
    first["source"] = f"# {name[:1].upper()}{name[1:]}{whose}: {text[2:]}"
    slug = category.replace("_", "-")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = "".join(cell["source"]).replace("{category}", slug)
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if "name" in figure:
            figure["name"] = figure["name"].replace("{category}", slug)


def caption_figures(notebook: dict) -> None:
    """Number the figures: the paragraph after a figure's cell becomes its caption.

    A cell whose metadata names a figure and text that begins with ``**Figure.**`` come
    together, or a `UserError` says so. The second panel of a figure and all after it get cells
    of their own, which `study.book.sphinx_ext` joins to the figure again.
    """
    cells = notebook["cells"]
    joined: list[dict] = []
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        joined.append(cell)
        figure = cell["metadata"].get("mystnb", {}).get("figure")
        text = "".join(after["source"]) if after else ""
        if text.startswith(CAPTION) != bool(figure):
            raise UserError(f"figure and caption do not go together near {text[:60]!r}")
        if figure:
            caption, _, rest = text.partition("\n\n")
            figure["caption"] = caption.removeprefix(CAPTION)
            after["source"] = rest
            joined += _panels(cell)
    notebook["cells"] = joined


def _panels(cell: dict) -> list[dict]:
    """Cells for the panels of a figure but its first, each with its number in its description."""
    shown = [each for each in cell["outputs"] if "image/svg+xml" in each.get("data", {})]
    if len(shown) < 2:
        return []
    alt = cell["metadata"]["mystnb"]["image"]["alt"].rstrip(".")
    more = []
    for number, output in enumerate(shown, 1):
        image = {"image": {"alt": f"{alt} (panel {number} of {len(shown)})."}}
        if number == 1:
            cell["metadata"]["mystnb"] |= image
            cell["outputs"] = [each for each in cell["outputs"] if each not in shown[1:]]
            continue
        metadata = {"tags": ["remove-input", PANEL], "mystnb": image}
        panel = {"cell_type": "code", "execution_count": None, "outputs": [output]}
        panel["source"] = "# a panel of the figure above"  # a cell without text is left out
        more.append(panel | {"id": f"{cell['id']}-panel-{number}", "metadata": metadata})
    return more


def message(notebook: dict) -> tuple[str, str]:
    """The title of a page, and the sentence that it opens with, as plain text."""
    known = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name", "")
            if name:
                text = next(x for kind, x in output["data"].items() if kind.endswith("text/plain"))
                known[name] = ast.literal_eval("".join(text))
    title, _, text = "".join(notebook["cells"][0]["source"]).partition("\n")
    text = FENCED.sub("", text)
    lines = [line for line in text.splitlines() if line.strip()]
    first = re.match(r"\*\*(.*?)\*\*", lines[0]) if lines else None
    words = first[1] if first else lines[0] if lines else ""
    words = GLUED.sub(lambda found: str(known.get(found[1], "")), words)
    return title.removeprefix("# "), re.sub(r"\{[\w:]+\}`[^`]*`|[*`]", "", words).strip()


def describe(notebook: dict) -> None:
    """Give search engines and previews the message of the page."""
    first = notebook["cells"][0]
    title, _, text = "".join(first["source"]).partition("\n")
    if description := message(notebook)[1]:
        meta = f"```{{eval-rst}}\n.. meta::\n   :description: {description}\n```"
        first["source"] = f"{title}\n\n{meta}\n{text}"


def head(notebook: dict, task: Task, study: Study) -> None:
    """Say at the top what the numbers of a build's page are made of, with tabs to its siblings."""
    first = notebook["cells"][0]
    title, _, text = "".join(first["source"]).partition("\n")
    tabs = ""
    if "category" in task.parameters:
        names = ("ablation", "data", *MODELS, "learning_curve")
        links = [
            f"**{TABS[name]}**" if name == task.notebook else f"[{TABS[name]}]({name}.ipynb)"
            for name in names
        ]
        tabs = f"\n```{{div}} tabs\n{' '.join(links)}\n```\n"
    first["source"] = f"{title}\n{tabs}\n*{study.made_of}*\n{text}"


def fold_code(notebook: dict) -> None:
    """Show the parameters that papermill has put in below the usual ones, in one cell."""
    usual: dict = {}
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if "parameters" in tags:
            usual = cell
        elif "injected-parameters" in tags:
            both = ("".join(each.get("source", "")).strip() for each in (usual, cell))
            usual["source"] = "\n\n".join(both)
            cell["metadata"]["tags"] = [*tags, "remove-cell"]


def command(task: Task, study: Study) -> list[str]:
    """The command that makes a page again, and its settings."""
    if task.notebook in chapters():
        return ["make book", *(word for word in study.asked if "reference_dir" in word)]
    categories = shlex.quote(" ".join(_categories(task)))
    return [f"make notebooks CATEGORIES={categories}", *study.asked]


def measured_by(notebook: str) -> str:
    """The commands that measure what a chapter reads, if it reads any table."""
    if notebook not in chapters():
        return ""
    files = [Path(name).name for name in tables_read(notebook)]
    targets = dict.fromkeys(MEASURED_BY.get(name, "reference") for name in files)
    *first, last = [f"`make {target}`" for target in targets if target] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def launch_address(repository: Mapping[str, str], path: str) -> str:
    """Where Binder opens a notebook of a public repository on GitHub; empty without its URL.

    The repository has a ``url``, which must be ``https://github.com/owner/name``, and a
    ``branch``; the path of the notebook begins at its root.
    """
    url = repository.get("url", "")
    if not url:
        return ""
    parts = urlparse(url)
    names = parts.path.strip("/").removesuffix(".git").split("/")
    if parts.netloc != "github.com" or len(names) != 2:
        raise UserError(f"repository url {url!r} is not https://github.com/owner/name")
    place = f"{names[0]}/{names[1]}/{repository.get('branch', 'main')}"
    return f"https://mybinder.org/v2/gh/{place}?urlpath=lab/tree/{path}"


def foot(task: Task, study: Study, executed: Mapping[str, Any], launch: str) -> str:
    """The last section of a page, as MyST Markdown: how to rerun it, what it is made of.

    ``executed`` is the metadata of the executed notebook, ``launch`` the address that opens
    it in a running environment, or empty. Links to tables begin with ``/tables/``.
    """
    return TEMPLATES.get_template("foot.md.j2").render(
        command=command(task, study),
        measured_by=measured_by(task.notebook),
        page=task.page,
        tables=_tables_of(task),
        launch=launch,
        source=f"notebooks/{task.notebook}.ipynb",
        timed=executed.get("papermill", {}),
        made=executed["study"],
        **_made_of(task, study),
    )


def results_of(task: Task, study: Study) -> list[Result]:
    """The results that a page of this build shows."""
    where, seed = study.folder / "results", study.options.seed
    categories = [study.categories[name] for name in _categories(task)]
    if task.notebook in MODELS:
        return [load_result(where, categories[0], task.notebook, seed)]
    return load_results(where, categories, seed)


def _made_of(task: Task, study: Study) -> dict[str, Any]:
    """What the numbers of a page were made of, each kind of page in a variable of its own."""
    if task.notebook == "data":
        category = study.categories[task.subject]
        return {"look": load(study.folder / "results", category, study.options.seed)}
    if task.notebook == "learning_curve":
        planned = make_settings(task.notebook, task.parameters).model_dump(exclude=NOT_PLANNED)
        return {"planned": planned, "study": study, "subject": task.subject}
    if task.notebook not in chapters():
        return {"rows": provenance_table(results_of(task, study))}
    if BENCHMARKS in tables_read(task.notebook):
        return {"rows": machine_rows(read_benchmarks(_reference(task))[1])}
    if not tables_read(task.notebook):
        return {}
    folder = _reference(task) / Path(tables_read(task.notebook)[0]).parent  # of the first table
    return {"reference": json.loads((folder / "provenance.json").read_text())}


def _reference(task: Task) -> Path:
    return ROOT / task.parameters.get("reference_dir", "data/reference")


def _categories(task: Task) -> list[str]:
    return task.parameters.get("categories", [task.subject])


def _tables_of(task: Task) -> list[str]:
    """Names of the files that hold the data of a page's figures."""
    if task.notebook in chapters():
        return list(tables_read(task.notebook))
    kind = task.notebook if task.notebook in WITH_TABLES else "scores"
    return [f"build/{name}/{kind}.csv" for name in _categories(task)]

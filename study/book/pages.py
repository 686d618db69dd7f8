"""From executed notebooks to pages: titles, captions, folded code, the foot."""

import json
import re
from collections.abc import Mapping
from urllib.parse import urlparse

from anomalylib.errors import UserError
from study.book.notebooks import Task, chapters, tables_read
from study.book.options import Study
from study.book.page_foot import command, foot, makes_table, measured_by, results_of, tables_of
from study.checkout import ROOT
from study.datacheck.check import load
from study.tables.results import image_table

CAPTION = "**Figure.** "
FAULTS = "faults.csv"
"""What was tried against the study, for the page on methods."""


def page(task: Task, study: Study, repository: Mapping[str, str]) -> dict:
    """An executed notebook as a page of the book.

    Parameters
    ----------
    task : Task
        What made it.
    study : Study
    repository : mapping
        ``url`` and ``branch`` of the public repository; without a URL there
        is no link that launches the notebook.
    """
    notebook = json.loads(task.output.read_text())
    category = task.parameters.get("category", "")
    if category:
        put_category(notebook, category)
    caption_figures(notebook, made_by(task, study))
    describe(notebook)
    fold_code(notebook)
    launch = launch_address(repository, f"notebooks/{task.notebook}.ipynb")
    text = foot(task, study, notebook["metadata"], launch)
    notebook["cells"].append(
        {"cell_type": "markdown", "id": "foot", "metadata": {}, "source": text}
    )
    return notebook


def tables(study: Study) -> dict[str, bytes]:
    """The data of all pages: those of the chapters and of the build's categories."""
    files = {FAULTS: (ROOT / "data" / "reference" / FAULTS).read_bytes()}
    for task in study.tasks:
        folder = ROOT / task.parameters.get("reference_dir", "data/reference")
        if task.notebook in chapters():
            files |= {name: (folder / name).read_bytes() for name in tables_read(task.notebook)}
        elif task.notebook == "data":
            table = load(study.folder / "results", task.subject, study.seed)[1]
            files |= dict.fromkeys(tables_of(task), table)
        elif makes_table(task):
            files |= dict.fromkeys(tables_of(task), task.makes.read_bytes())
        elif task.notebook == "ablation":
            table = image_table(results_of(task, study)).to_csv(index=False)
            files |= dict.fromkeys(tables_of(task), table.encode())
    return files


def put_category(notebook: dict, category: str) -> None:
    """Name the category in the title, and wherever the page says ``{category}``."""
    first = notebook["cells"][0]
    text = "".join(first["source"])
    if not text.startswith("# "):
        raise UserError("a notebook of the book must begin with its title, '# …'")
    name = category.replace("_", " ")
    first["source"] = f"# {name[:1].upper()}{name[1:]}: {text[2:]}"
    slug = category.replace("_", "-")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = "".join(cell["source"]).replace("{category}", slug)
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if "name" in figure:
            figure["name"] = figure["name"].replace("{category}", slug)


def caption_figures(notebook: dict, made: str) -> None:
    """Number the figures: the paragraph after a figure's cell becomes its caption.

    Parameters
    ----------
    notebook : dict
        A cell whose metadata names a figure must be followed by text that
        begins with ``**Figure.**``.
    made : str
        Which commands make it, for the end of the caption.

    Raises
    ------
    UserError
        If a named figure has no caption, or a caption no figure.
    """
    cells = notebook["cells"]
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        figure = cell["metadata"].get("mystnb", {}).get("figure")
        text = "".join(after["source"]) if after else ""
        if text.startswith(CAPTION) != bool(figure):
            raise UserError(f"figure and caption do not go together near {text[:60]!r}")
        if figure:
            caption, _, rest = text.partition("\n\n")
            figure["caption"] = f"{caption.removeprefix(CAPTION)} {made}"
            after["source"] = rest


def describe(notebook: dict) -> None:
    """Give search engines and previews what the page says first, below its title."""
    first = notebook["cells"][0]
    title, _, text = "".join(first["source"]).partition("\n")
    lines = [line for line in text.splitlines() if line.strip() and line[0] not in "`:"]
    if lines:
        description = re.sub(r"\{\w+\}`[^`]*`|[*`]", "", lines[0]).strip()
        meta = f"```{{eval-rst}}\n.. meta::\n   :description: {description}\n```"
        first["source"] = f"{title}\n\n{meta}\n{text}"


def fold_code(notebook: dict) -> None:
    """Show the parameters that papermill has put in like the cell that they replace."""
    like: list[str] = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if "parameters" in tags:
            like = [tag for tag in tags if tag != "parameters"]
        elif "injected-parameters" in tags:
            cell["metadata"]["tags"] = [*tags, *like]


def made_by(task: Task, study: Study) -> str:
    """Which commands make a figure."""
    first, *options = command(task, study).split(" \\\n")
    by = measured_by(task.notebook)
    measured = f"Measured by {by}, drawn" if by else "Drawn"
    return f"{measured} by `{first}`{', with the settings below' if options else ''}."


def launch_address(repository: Mapping[str, str], path: str) -> str:
    """Where Binder opens a notebook of a public repository on GitHub.

    Parameters
    ----------
    repository : mapping
        ``url``, such as ``https://github.com/owner/name``, and ``branch``.
    path : str
        The notebook, from the repository's root.

    Returns
    -------
    str
        Empty without a URL.

    Raises
    ------
    UserError
        If the URL is not of that form.
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

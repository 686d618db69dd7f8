"""The book: prose and executed notebooks, put together and rendered."""

import contextlib
import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import jinja2
import yaml
from filelock import FileLock

from anomalylib.errors import FULL, UserError, first_line
from anomalylib.files import sha256_of, written_whole
from study.book import sphinx_ext
from study.book.options import Study
from study.book.pages import message, page, tables
from study.checkout import ROOT
from study.names import MODELS
from study.runs.workers import end_with_parent

SOURCE = ROOT / "book"
RENDERED_WITH = ("jupyter-book", "sphinx", "myst-nb", "sphinx-book-theme", "pydata-sphinx-theme")


def build_book(study: Study) -> tuple[Path, bool]:
    """Render the book of a study whose notebooks are executed.

    Returns the landing page, and False where nothing had changed since the last time.
    """
    with alone(study):
        pages = assemble(study)
        site, stamp = study.book / "_build" / "html", study.book / "book.built"
        index, digest = site / "index.html", _digest(pages)
        if index.is_file() and stamp.is_file() and stamp.read_text() == digest:
            return index, False
        write_pages(study, pages)
        # Pages of an earlier run with other categories must not stay on the site, nor may
        # what is left of a build that fails pass for a whole one.
        stamp.unlink(missing_ok=True)
        shutil.rmtree(site, ignore_errors=True)
        render(study, "html")
        with written_whole(stamp) as beside:
            beside.write_text(digest)
        return index, True


def alone(study: Study) -> FileLock:
    """To build in the folder of the book while no other run does."""
    study.book.mkdir(parents=True, exist_ok=True)
    return FileLock(study.book / "book.lock")


def write_pages(study: Study, pages: dict[str, bytes]) -> None:
    """Make the folder of the book's source hold these pages and no others; leave equal ones."""
    folder = study.book / "book"
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in pages:
            path.unlink()
    for name, content in pages.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            with written_whole(path) as beside:
                beside.write_bytes(content)


def render(study: Study, builder: str) -> Path:
    """Let jupyter-book make one edition of the written pages, and return its folder.

    The builder is ``"html"`` for the site, ``"singlehtml"`` for one long page. Whatever
    jupyter-book warns of is a `UserError`.
    """
    log = study.book / "book.log"
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", study.book / "book", "--builder", builder]
    command += ["--path-output", study.book, "-W", "-n", "--keep-going"]
    joined = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    joined["preexec_fn"] = end_with_parent
    done = subprocess.run(command, **joined, cwd=ROOT, check=False)
    output = done.stdout.decode(errors="replace")
    with contextlib.suppress(OSError):  # on a full disk: what was output matters more
        log.write_text(output)
    if done.returncode != 0:
        lines = re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines()  # without colours
        signs = (*FULL, "WARNING", "ERROR", "rror")
        reasons = [line for sign in signs for line in lines if sign in line]
        first = first_line(reasons[0]) if reasons else "jupyter-book failed"
        raise UserError(f"the book was not built: {first}; see {log}")
    return study.book / "_build" / builder


def assemble(study: Study) -> dict[str, bytes]:
    """All files of the book's source: path inside the folder to content."""
    pages = {
        path.relative_to(SOURCE).as_posix(): path.read_bytes()
        for path in sorted(SOURCE.rglob("*"))
        if path.is_file() and "_build" not in path.parts
    }
    pages |= {f"tables/{name}": content for name, content in tables(study).items()}
    config = yaml.safe_load(pages["_config.yml"])
    named = [task.page for task in study.tasks if task.notebook == "category"]
    parts = [page.rpartition("/")[2] for page in named]
    categories = study.options.categories
    pages["_toc.yml"] = contents(pages["_toc.yml"].decode(), categories, parts).encode()
    made = {task.page: page(task, study, config["repository"]) for task in study.tasks}
    if "index" in made:
        list_messages(made, pages)
    return pages | {
        f"{name}.ipynb": json.dumps(each, indent=1).encode() for name, each in made.items()
    }


def list_messages(made: dict[str, dict], pages: dict[str, bytes]) -> None:
    """Put the title and the message of each numbered page where the landing page says so."""
    toc = yaml.safe_load(pages["_toc.yml"])
    lines = []
    for number, chapter in enumerate(toc["parts"][0]["chapters"], 2):
        name = chapter["file"]
        if name in made:
            title, words = message(made[name])
        else:
            title, words = message({"cells": [{"source": pages[f"{name}.md"].decode()}]})
        lines.append(f"{number}. [{title}]({name}). {words}")
    for cell in made["index"]["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            cell["source"] = text.replace("{messages}", "\n".join(lines))


def contents(template: str, categories: Sequence[str], parts: Sequence[str]) -> str:
    """The table of contents: what stands between lines that begin with ## is repeated."""
    return jinja2.Template(template, line_statement_prefix="##").render(
        categories=categories, models=MODELS, parts=parts
    )


def _digest(pages: dict[str, bytes]) -> str:
    """Hash over all paths and contents, and what renders them."""
    versions = [importlib.metadata.version(name) for name in RENDERED_WITH]
    digest = hashlib.sha256(f"{sha256_of(Path(sphinx_ext.__file__))} {versions}".encode())
    for name, content in sorted(pages.items()):
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()

"""The Markdown of the pages, before a build."""

import json

from study.book.build import SOURCE
from study.checkout import ROOT


def words(name):
    """The Markdown of a page."""
    path = SOURCE / f"{name}.md"
    if path.is_file():
        return path.read_text()
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def everything():
    """The Markdown of all pages by name."""
    names = [path.stem for path in (ROOT / "notebooks").glob("*.ipynb")]
    return {name: words(name) for name in [*names, *(p.stem for p in SOURCE.glob("*.md"))]}

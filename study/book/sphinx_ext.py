"""What a built page needs beyond its content, as an extension of Sphinx."""

import re
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2")
"""What of MathJax the pages load: a formula that needs more fails in the browser test."""

PANEL = "tag_more-panels"
"""The class of a cell that holds one more panel of the figure before it."""
TABLE = re.compile(r'(<table [^>]*class="dataframe.*?</table>)', re.DOTALL)
BOX = r'<div class="pst-scrollable-table-container">\1</div>'
"""The theme's box that a reader can scroll by keys; it boxes no tables of notebooks itself."""


def copy_mathjax(app: Sphinx, failure: Exception | None) -> None:
    """Put the used part of MathJax on the site; the package would bring 24 MB."""
    if failure is not None or app.builder.format != "html":
        return
    site = Path(app.outdir) / "_static" / "mathjax"
    with resources.as_file(resources.files("sphinx-mathjax-offline")) as package:
        for name in MATHJAX:
            source, target = package / "static" / "mathjax" / name, site / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)


def gather_panels(_app: Sphinx, tree: nodes.document) -> None:
    """Move the panels in cells of their own into the figure before them, above its caption."""
    cells = [cell for cell in tree.findall(nodes.container) if PANEL in cell.get("classes", [])]
    for cell in cells:
        before = cell.parent.children[: cell.parent.index(cell)]
        figure = next(iter(list(before[-1].findall(nodes.figure))[::-1]))
        for bundle in list(cell.findall(nodes.container)):
            if bundle.get("nb_element") == "mime_bundle":
                place = next(i for i, n in enumerate(figure) if isinstance(n, nodes.caption))
                figure.insert(place, bundle.deepcopy())
        cell.parent.remove(cell)


def silence_thebe(app: Sphinx, _config: Any) -> None:
    """Let sphinx-thebe add nothing: jupyter-book loads it, and its scripts collide.

    Its style sheet stays, for it is asked for before any event.
    """
    for event in ("env-before-read-docs", "doctree-resolved"):
        for listener in tuple(app.events.listeners[event]):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)


def mend_page(
    _app: Sphinx, _name: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Say to assistive technology what theme and writer leave out, in the template's context."""
    if "body" in context:
        # docutils fills role="list" with a deprecated role that is no item of a list
        body = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')
        context["body"] = TABLE.sub(BOX, body)
    if "generate_toctree_html" in context:
        context["generate_toctree_html"] = _with_names(context["generate_toctree_html"])


def _with_names(make: Any) -> Any:
    """Let the contents of the side bar name the chevrons that unfold a chapter."""

    def named(*args: Any, **options: Any) -> Any:
        contents = make(*args, **options)
        if isinstance(contents, str):
            return contents
        for summary in contents.select("a + details > summary"):
            chapter = summary.parent.find_previous_sibling("a").get_text(strip=True)
            summary["aria-label"] = f"Sections of {chapter}"
        return contents

    return named


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the above to the build, whose pages may be read and written in parallel."""
    app.connect("config-inited", silence_thebe)
    app.connect("doctree-read", gather_panels)
    app.connect("html-page-context", mend_page, priority=900)  # after the theme
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

import subprocess
import sys
from types import SimpleNamespace

import pytest
from docutils import nodes

from study.book.sphinx_ext import PANEL, copy_mathjax, gather_panels

CONFIG = """
extensions = ["sphinx_thebe", "sphinx_book_theme", "study.book.sphinx_ext"]
html_theme = "sphinx_book_theme"
"""
INDEX = """
Parts
=====

.. toctree::

   nuts

.. raw:: html

   <table border="1" class="dataframe"><tr><td>1</td></tr></table>

Measured by [one]_.

.. [one] A paper.
"""
NUTS = """
Nuts
====

.. toctree::

   bent
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Three pages of reStructuredText, built with the extension."""
    source = tmp_path_factory.mktemp("site")
    files = {"conf.py": CONFIG, "index.rst": INDEX, "nuts.rst": NUTS, "bent.rst": "Bent\n====\n"}
    for name, text in files.items():
        (source / name).write_text(text)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", str(source), str(source / "html")]
    subprocess.run(command, check=True)
    return source / "html"


def test_the_site_gets_the_part_of_mathjax_that_it_uses(pages):
    mathjax = pages / "_static" / "mathjax"
    assert (mathjax / "tex-chtml.js").is_file()
    fonts = list(mathjax.rglob("*.woff"))
    assert len(fonts) > 20
    assert sum(path.stat().st_size for path in mathjax.rglob("*.*")) < 2_000_000


def test_panels_are_gathered_in_their_figure_above_its_caption():
    def cell(*classes, figure=None):
        bundle = nodes.container(nb_element="mime_bundle")
        bundle += [nodes.image(uri=str(len(classes))), nodes.literal_block("x", "x")]
        made = nodes.container(classes=list(classes))
        made += figure if figure is not None else bundle
        return made

    figure = nodes.figure("", nodes.image(uri="first"), nodes.caption("", "words"))
    tree = nodes.section("", cell(figure=figure), cell("cell", PANEL), cell("other"))
    gather_panels(None, tree)
    assert [type(node).__name__ for node in figure] == ["image", "container", "caption"]
    assert len(tree) == 2 and "other" in tree[1]["classes"]


def test_a_failed_build_and_other_formats_get_nothing(tmp_path):
    html, latex = (SimpleNamespace(format=name) for name in ("html", "latex"))
    copy_mathjax(SimpleNamespace(outdir=tmp_path, builder=html), ValueError())
    copy_mathjax(SimpleNamespace(outdir=tmp_path, builder=latex), None)
    assert not list(tmp_path.iterdir())


def test_no_page_carries_thebe(pages):
    for path in pages.glob("*.html"):
        text = path.read_text()
        assert "THEBE_JS_URL" not in text and "x-thebe-config" not in text, path
        assert "sphinx-thebe.js" not in text, path


def test_tables_of_notebooks_can_be_scrolled_by_keys(pages):
    text = (pages / "index.html").read_text()
    assert '<div class="pst-scrollable-table-container"><table border="1" class="datafr' in text
    assert "</table></div>" in text


def test_a_list_of_references_has_items(pages):
    text = (pages / "index.html").read_text()
    assert 'role="list"' in text and 'role="listitem"' in text
    assert "doc-biblioentry" not in text


def test_every_chevron_says_what_it_unfolds(pages):
    text = (pages / "index.html").read_text()
    assert '<summary aria-label="Sections of Nuts">' in text
    assert "<summary>" not in text

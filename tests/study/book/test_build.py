import json
import re
from types import SimpleNamespace

import pytest
import yaml

from anomalylib.errors import UserError
from study.book import build as book
from study.book.build import SOURCE
from study.book.notebooks import chapters


def test_each_category_gets_its_chapter_and_its_models():
    contents = yaml.safe_load(
        book.contents((SOURCE / "_toc.yml").read_text(), ("a", "b"), ("c", "d"))
    )
    numbered, appendix = (part["chapters"] for part in contents["parts"])
    assert len(numbered) == 11  # twelve with the landing page
    (tables,) = [c for c in appendix if c["file"] == "chapters/tables"]
    assert tables["sections"] == [{"file": "chapters/c"}, {"file": "chapters/d"}]
    (rerun,) = [c for c in numbered if c["file"] == "rerun"]
    files = rerun["sections"]
    assert [c["file"] for c in files] == [
        "results/summary",
        "results/a/ablation",
        "results/b/ablation",
    ]
    assert [s["file"] for s in files[2]["sections"]][:2] == [
        "results/b/data",
        "results/b/autoencoder",
    ]
    assert "{" not in yaml.safe_dump(contents)


def test_every_page_of_the_contents_exists():
    text = (SOURCE / "_toc.yml").read_text()
    named = [name for name in chapters() if name not in ("landing", "category")]
    for chapter in named:
        assert f"chapters/{chapter}\n" in text
    pages = {path.stem for path in SOURCE.glob("*.md")}
    assert pages == {"methods", "rerun", "faults", "glossary", "cite", "references"}
    for page in pages:
        assert f"file: {page}\n" in text


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose pages are told by the test, and what renders them."""
    pretended = SimpleNamespace(book=tmp_path / "book-1", pages={"a.md": b"A"}, fails=False)

    def render(study, builder):
        page = study.book / "_build" / builder / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_bytes(pretended.pages["a.md"])
        if pretended.fails:
            raise UserError("half-way")

    monkeypatch.setattr(book, "assemble", lambda study: pretended.pages)
    monkeypatch.setattr(book, "render", render)
    return pretended


def test_a_book_is_built_when_something_has_changed(study):
    index, built = book.build_book(study)
    assert built and index.read_text() == "A"
    assert book.build_book(study) == (index, False)
    study.pages = {"a.md": b"B"}
    assert book.build_book(study) == (index, True) and index.read_text() == "B"


def test_what_a_failed_build_left_never_passes_for_a_whole_book(study):
    index, _ = book.build_book(study)
    study.pages, study.fails = {"a.md": b"B"}, True
    with pytest.raises(UserError):
        book.build_book(study)
    study.pages, study.fails = {"a.md": b"A"}, False
    assert book.build_book(study) == (index, True) and index.read_text() == "A"


def test_a_warning_of_jupyter_book_is_one_line(tmp_path):
    source = tmp_path / "book"
    source.mkdir()
    (source / "_config.yml").write_text("title: x\nauthor: y\n")
    (source / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (source / "index.md").write_text("# Title\n\nsee {doc}`nowhere`\n")
    with pytest.raises(UserError, match=r"was not built: .*nowhere.*; see .*book\.log") as caught:
        book.render(SimpleNamespace(book=tmp_path), "html")
    assert "\n" not in str(caught.value)


def test_the_landing_page_lists_every_numbered_page_with_its_message(built):
    opened, _, _ = built
    pages = book.assemble(opened)
    cells = json.loads(pages["index.ipynb"])["cells"]
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    listed = re.findall(r"^(\d+)\. \[.+?\]\((.+?)\)\. (.+)$", prose, re.MULTILINE)
    numbered = yaml.safe_load(pages["_toc.yml"])["parts"][0]["chapters"]
    assert [name for _, name, _ in listed] == [chapter["file"] for chapter in numbered]
    assert [int(number) for number, *_ in listed] == list(range(2, 13))
    assert all(len(words) > 30 and "{" not in words for *_, words in listed)

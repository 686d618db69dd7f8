import dataclasses
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
    (evidence,) = [p for p in contents["parts"] if p["caption"] == "Evidence on real parts"]
    (measured,) = [c for c in evidence["chapters"] if c["file"] == "chapters/measured"]
    assert measured["sections"] == [{"file": "chapters/c"}, {"file": "chapters/d"}]
    (build,) = [part for part in contents["parts"] if part["caption"] == "This build"]
    files = build["chapters"]
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
    assert pages == {"methods", "rerun", "glossary", "cite", "references"}
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


def test_the_banner_is_text_and_no_markup(built):
    opened, _, _ = built
    odd = dataclasses.replace(opened, dataset="Nuts <2024> & bolts", synthetic=False)
    config = yaml.safe_load(book.assemble(odd)["_config.yml"])
    banner = config["sphinx"]["config"]["html_theme_options"]["announcement"]
    assert "Nuts &lt;2024&gt; &amp; bolts" in banner

import re
import shutil
from types import SimpleNamespace

import pytest

from anomalylib.errors import UserError
from study.__main__ import main
from study.book import pdf


def test_without_a_browser_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="install chromium"):
        pdf.find_browser()
    assert main(["pdf"]) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("error: no Chromium") and complaint.count("\n") == 1


def test_a_browser_that_prints_nothing_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "find_browser", lambda: shutil.which("true"))
    monkeypatch.setattr(pdf, "assemble", lambda study: {})
    edition = tmp_path / "edition"
    edition.mkdir()
    (edition / "index.html").write_text("<p>a book</p>")
    monkeypatch.setattr(pdf, "render", lambda study, builder: edition)
    with pytest.raises(UserError, match="did not print"):
        pdf.print_book(SimpleNamespace(book=tmp_path))
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == [edition]


def test_links_lead_to_places_in_the_one_page():
    text = '<span id="document-chapters/claims"></span><span id="document-rerun"></span>'
    text += (
        '<a class="x" href="../chapters/claims.html#how">a</a><a href="rerun.html" title="t">b</a>'
    )
    text += '<a href="#here">c</a><a href="https://x.org/claims.html">d</a>'
    text += '<a download href="../_sources/claims.ipynb">e</a><link href="style.css">'
    mended = pdf.anchored(text)
    assert '<a class="x" href="#document-chapters/claims">a</a>' in mended
    assert '<a href="#document-rerun" title="t">b</a>' in mended
    assert '<a href="#here">c</a><a href="https://x.org/claims.html">d</a>' in mended
    assert '<a download>e</a><link href="style.css">' in mended


@pytest.mark.skipif(not any(map(shutil.which, pdf.BROWSERS)), reason="Chromium is not installed")
def test_the_whole_book_is_printed(built):
    study, _, index = built
    before = index.read_bytes()
    content = pdf.print_book(study).read_bytes()
    assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 30
    assert b"file:" not in content
    assert len(content) < 40e6
    assert index.read_bytes() == before

import pytest

from tests.study.book import prose
from tests.study.book.test_browser import browser, site

__all__ = ["browser", "site"]

PAGE = "<html><body><article>{}</article></body></html>"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("A nut is here.", 4),
        ("It scores 0.921 [0.864, 0.967] on 7 parts.", 6),  # a number with its interval is one
        ("At most 5 % of Bergman et al. remain.", 8),
    ],
)
def test_words_are_counted_with_a_number_and_its_interval_as_one(text, count):
    assert prose.words(text) == count


def test_sentences_are_those_of_the_text_without_tables_code_and_foot(tmp_path):
    body = "<p>One is here. Two et al. <em>follow</em>.</p><ul><li>Three</li></ul>"
    body += "<table><tr><td>No sentence.</td></tr></table><pre>No. Code.</pre>"
    body += '<section id="rerun-this-page"><p>No foot.</p></section>'
    (tmp_path / "page.html").write_text(PAGE.format(body))
    found = prose.sentences(tmp_path / "page.html")
    assert found == ["One is here.", "Two et al follow .", "Three"]


def test_fewer_than_one_sentence_in_ten_is_long(site):
    lengths = {
        (page.relative_to(site), sentence): prose.words(sentence)
        for page in prose.pages(site)
        for sentence in prose.sentences(page)
    }
    assert len(lengths) > 500
    long_ones = [each for each, length in lengths.items() if length > prose.LONG]
    assert len(long_ones) < 0.1 * len(lengths)

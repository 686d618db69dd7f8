"""How long the sentences of the built pages are: ``python -m tests.study.book.prose SITE``."""

import re
import sys
from pathlib import Path

from bs4 import BeautifulSoup

LONG = 22  # words; what is longer is to be rare
ASIDE = "table, pre, nav, script, style, math, svg, .headerlink, .provenance, .bibliography, .math"
"""What is no running text."""
TEXTS = ("p", "li", "dd", "dt", "figcaption")
VALUE = re.compile(r"[<>≤≥±+−-]?\d[\d.,]*(?: ?%| \[[^\]]*\])?")
"""A number with its unit or its interval, which count as one word."""
END = re.compile(r"(?<=[.!?])[\"”’)\]]*\s+(?=[\"“‘(]?[A-Z0-9])")
SHORTENED = re.compile(r"\b(al|e\.g|i\.e|vs|Fig|No|approx)\.")


def sentences(page: Path) -> list[str]:
    """The sentences of a built page, but those of tables, code, the foot and the references."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    article = soup.find("article") or soup
    for tag in article.select(ASIDE):
        tag.decompose()
    foot = article.find("section", id=re.compile("^rerun-this-page"))
    if foot:
        foot.decompose()
    found = []
    for tag in article.find_all(TEXTS):
        if tag.find(TEXTS):  # its parts come by themselves
            continue
        text = SHORTENED.sub(r"\1", " ".join(tag.get_text(" ").split()))
        found += [part for part in END.split(text) if re.search(r"[a-zA-Z]", part)]
    return found


def words(sentence: str) -> int:
    """How many words a sentence has; a number with its interval is one."""
    return len(re.findall(r"[^\W_][\w’'.-]*", VALUE.sub("0", sentence)))


def pages(site: Path) -> list[Path]:
    """The pages of text: all but the index and the search."""
    skipped = {"genindex", "search"}
    paths = sorted(site.rglob("*.html"))
    return [p for p in paths if "_static" not in p.parts and p.stem not in skipped]


def main(site: Path) -> None:
    """Print words, sentences and the share of long ones, page by page."""
    total, count, long_ones = 0, 0, 0
    for page in pages(site):
        lengths = [words(sentence) for sentence in sentences(page)]
        above = sum(length > LONG for length in lengths)
        total, count, long_ones = total + sum(lengths), count + len(lengths), long_ones + above
        share = above / max(len(lengths), 1)
        print(f"{page.relative_to(site)!s:42} {sum(lengths):6} words {share:5.0%} long")
    print(f"{total} words, {count} sentences, {long_ones / max(count, 1):.1%} over {LONG} words")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

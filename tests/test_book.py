import yaml

from anomalylib.book import SOURCE, expand_contents
from anomalylib.settings import EVIDENCE, PARTS


def test_each_category_gets_its_chapter_and_its_arms():
    contents = expand_contents(yaml.safe_load((SOURCE / "_toc.yml").read_text()), ("a", "b"))
    (build,) = [part for part in contents["parts"] if part["caption"] == "This build"]
    chapters = build["chapters"]
    assert [c["file"] for c in chapters] == [
        "results/summary",
        "results/a/ablation",
        "results/b/ablation",
    ]
    assert chapters[2]["sections"][0] == {"file": "results/b/autoencoder"}
    assert "{category}" not in yaml.safe_dump(contents)


def test_every_page_of_the_contents_exists():
    text = (SOURCE / "_toc.yml").read_text()
    chapters = [name for name in EVIDENCE if name not in ("landing", "category")]
    for chapter in (*chapters, *PARTS):
        assert f"chapters/{chapter}\n" in text
    pages = {path.stem for path in SOURCE.glob("*.md")}
    assert pages == {"methods", "your_parts", "rerun", "glossary", "cite", "references"}
    for page in pages:
        assert f"file: {page}\n" in text

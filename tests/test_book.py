import yaml

from anomalylib.book import SOURCE, expand_contents, fold_code, put_category_in_title
from anomalylib.settings import EVIDENCE


def test_each_category_gets_its_chapter_and_its_arms():
    contents = expand_contents(yaml.safe_load((SOURCE / "_toc.yml").read_text()), ("a", "b"))
    chapters = contents["parts"][1]["chapters"]
    assert [c["file"] for c in chapters] == [
        "results/summary",
        "results/a/ablation",
        "results/b/ablation",
    ]
    assert chapters[2]["sections"][0] == {"file": "results/b/autoencoder"}
    assert "{category}" not in yaml.safe_dump(contents)


def test_the_title_carries_the_category():
    notebook = {"cells": [{"source": ["# Pooled\n", "text"]}]}
    put_category_in_title(notebook, "metal_nut")
    assert notebook["cells"][0]["source"] == "# metal nut: Pooled\ntext"


def test_parameters_are_folded():
    cell = {"metadata": {"tags": ["injected-parameters"]}}
    plain = {"metadata": {}}
    fold_code({"cells": [cell, plain]})
    assert "hide-input" in cell["metadata"]["tags"]
    assert plain["metadata"] == {}


def test_every_page_of_the_contents_exists():
    text = (SOURCE / "_toc.yml").read_text()
    for chapter in EVIDENCE:
        assert f"evidence/{chapter}\n" in text
    for page in ("index", "methods", "data", "rerun", "references"):
        assert page in text
        assert (SOURCE / f"{page}.md").is_file()

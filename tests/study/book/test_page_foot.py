import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from anomalylib.images.category import load_category
from study.book import pages
from study.book.notebooks import chapters
from study.checkout import ROOT
from study.names import MODELS


@pytest.fixture
def footed(built):
    """The foot of one page of the tiny study."""
    study, _, _ = built

    def make(notebook, launch=""):
        task = next(t for stage in study.stages for t in stage if t.notebook == notebook)
        timed = {"duration": 1.25, "end_time": "2026-11-23T04:05:06.7+00:00"}
        versions = {"python": "3.11.9", "numpy": "1.2.3"}
        executed = {"papermill": timed, "study": {"commit": "abc123", "versions": versions}}
        return pages.foot(task, study, executed, launch)

    return make


def test_every_foot_says_when_from_what_and_how_long(footed):
    for notebook in (*chapters(), "data", *MODELS, "learning_curve", "ablation", "summary"):
        text = footed(notebook)
        assert "## Rerun this page" in text and "make " in text
        for row in ("| executed | 2026-11-23 04:05 UTC |", "| wall time | 1.2 s |"):
            assert row in text
        assert "| commit | abc123 |" in text
        assert "| drawn with | python 3.11.9, numpy 1.2.3 |" in text


def test_an_model_names_its_data_weights_and_parameters(footed, built):
    study, _, _ = built
    text = footed("combined")
    assert study.backbone.sha256[:16] in text
    task = next(t for t in study.tasks if t.notebook == "combined")
    (result,) = pages.results_of(task, study)
    assert result.fingerprint[:16] in text
    assert (
        "epochs=1" in text
        and "{download}`build/metal_nut/scores.csv </tables/build/metal_nut/scores.csv>`" in text
    )


def test_the_look_at_the_data_names_them_and_its_table(footed, built):
    study, _, _ = built
    text = footed("data")
    assert "| images | 6 train/good, 3 test/good, 1 test/bent" in text
    category = load_category(ROOT / study.tasks[0].parameters["data_root"], "metal_nut")
    assert category.fingerprint[:16] in text and study.backbone.sha256[:16] not in text
    assert "{download}`build/metal_nut/data.csv </tables/build/metal_nut/data.csv>`" in text


def test_a_page_without_results_says_its_data_backbone_and_parameters(footed, built):
    text = footed("learning_curve")
    assert built[0].backbone.sha256[:16] in text and "synthetic parts, metal" in text
    assert "sizes=3" in text and "threads=" not in text
    name = "build/metal_nut/learning_curve.csv"
    assert f"{{download}}`{name} </tables/{name}>`" in text


def test_a_chapter_names_the_tables_and_what_they_were_measured_with(footed):
    text = footed("thresholds")
    assert "`make reference`" in text and "commit of the tables" in text
    assert "MVTec AD" in text and "{download}`thresholds.csv </tables/thresholds.csv>`" in text
    assert "make reference" not in footed("methods_in_code")


def test_signs_of_markdown_stay_as_they_are():
    assert pages.TEMPLATES.filters["cell"]("a|b_c\nd") == "a\\|b\\_c<br>d"
    text = "a$b$c ![i](http://x) [1](y) <b> `d` {e} A&B \\ *f*"
    parser = MarkdownIt("commonmark").use(dollarmath_plugin)
    (inline,) = [
        token
        for token in parser.parse(pages.TEMPLATES.filters["cell"](text))
        if token.type == "inline"
    ]
    assert {child.type for child in inline.children} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children) == text


def test_the_reference_results_say_where_they_come_from():
    provenance = {
        "data": {"nut": {"dataset": "X", "sha256": "ab" * 32, "images": {"train/good": 3}}},
        "backbones": {"net": {"path": "f.pth", "sha256": "cd" * 32}},
        "settings": {"combined": {"epochs": 2}},
        "versions": {"torch": "2"},
        "machines": ["cpu"],
        "runs": 7,
        "processor_hours": 0.5,
        "measured": ["monday", "tuesday"],
        "commit": "f00",
    }
    made = {"commit": "abc", "versions": {}}
    template = pages.TEMPLATES.get_template("foot.md.j2")
    text = template.render(timed={}, made=made, reference=provenance, page="x")
    assert f"| data | X, nut, SHA-256 {('ab' * 32)[:16]}…, 3 train/good |\n" in text
    assert "| backbones | net: f.pth, SHA-256 cdcd" in text
    assert "| parameters | combined: epochs=2 |\n" in text
    assert "| commit of the tables | f00 |\n" in text
    assert "| measured | monday to tuesday |\n| commit" in text
    assert "| runs | 7, 0.5 processor hours |\n" in text

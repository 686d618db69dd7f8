"""Images in, a book out, on a tiny drawn category."""

import html.parser
import json
import re

import pandas as pd
import papermill

from study.book import build as book
from study.book.execute import run_stages
from study.book.notebooks import chapters
from study.checkout import ROOT
from study.names import MAIN, MODELS
from study.tables.reference import read_table
from study.tables.results import result_path
from study.tables.text import with_interval


def test_every_notebook_ran_and_left_its_result(built):
    study, _, _ = built
    done = {task.page for task in study.tasks if task.output.is_file() and not task.stale}
    assert len(done) == len(study.tasks) > len(MODELS) + len(chapters())
    for model in MODELS:
        path = result_path(study.folder / "results", study.categories["metal_nut"], model, 0)
        result = json.loads(path.read_text())
        assert result["synthetic"] is True
        assert len(result["scores"]) == 7
        assert len(result["normal_scores"]) == 6


def test_nothing_is_done_twice(built):
    study, _, index = built
    assert run_stages(study.stages, None) == []
    assert book.build_book(study) == (index, False)


class Page(html.parser.HTMLParser):
    """Collects what a page loads and which images lack a description."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.mute = [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in {"script", "img", "iframe"} or given.get("rel") == "stylesheet":
            self.loads.append(given.get("src") or given.get("href") or "")
        if tag == "img" and not given.get("alt"):
            self.mute.append(given.get("src"))


def test_no_page_loads_anything_from_a_network_and_every_image_is_described(built):
    pages = list(built[2].parent.rglob("*.html"))
    assert len(pages) >= len(MODELS) + 6
    for path in pages:
        page = Page(path)
        assert not [src for src in page.loads if re.match(r"(https?:)?//", src)], path
        assert not page.mute, path


def test_the_pages_say_what_they_are(built):
    study, _, index = built
    assert "synthetic images, no photographs" not in index.read_text()  # it is of real parts
    summary = (index.parent / "results" / "summary.html").read_text()
    assert "Numbers on this page: synthetic images, no photographs" in summary
    assert "efficientnet_lite0" in summary
    assert "metal nut" in summary and "brightness" in summary
    ablation = (index.parent / "results" / "metal_nut" / "ablation.html").read_text()
    assert "<title>Metal nut, this build: All models side by side" in ablation
    data = (index.parent / "results" / "metal_nut" / "data.html").read_text()
    assert "<title>Metal nut, this build: The images, before any model" in data
    assert "No two of the 13 images are alike." in data
    combined = (index.parent / "results" / "metal_nut" / "combined.html").read_text()
    assert study.backbone.sha256[:16] in combined


def test_the_evidence_is_that_of_the_committed_results_whatever_the_build(built):
    study, _, index = built
    summary = read_table("summary")
    there = [task.subject for task in study.tasks if task.notebook == "category"]
    assert len(there) > 1
    for part in there:
        text = (index.parent / "chapters" / f"{part}.html").read_text()
        own = summary[(summary.category == part) & (summary.variant == "plain")]
        own = own[own.backbone.isin(["", MAIN])]
        for model in MODELS:
            assert with_interval(own[own.model == model].iloc[0]) in text
    claims = (index.parent / "chapters" / "claims.html").read_text()
    assert "contradicted" in claims and "{glue" not in claims


def test_every_model_leaves_a_detector_that_scores_new_images(built, tiny_root, tmp_path):
    where = built[0].folder / "results", built[0].categories["metal_nut"]
    results = result_path(*where, "combined", 0).parent
    assert {path.stem for path in results.glob("*.safetensors")} == {
        f"{model}-seed0" for model in MODELS
    }
    given = {"detector": str(results / "combined-seed0.safetensors"), "output": str(tmp_path)}
    given["image"] = str(tiny_root / "metal_nut" / "test" / "good")
    source, executed = ROOT / "notebooks" / "inspect.ipynb", tmp_path / "inspected.ipynb"
    papermill.execute_notebook(source, executed, given, cwd=ROOT, progress_bar=False)
    found = pd.read_csv(tmp_path / "inspection.csv")
    model = json.loads((results / "combined-seed0.json").read_text())
    scored = dict(zip(model["names"], model["scores"], strict=True))
    assert len(found) == 3
    for row in found.itertuples():
        assert abs(row.score / scored[row.image[row.image.index("test/good") :]] - 1) < 1e-3
        assert row.decision == ("anomalous" if row.score > model["threshold"] else "normal")
    assert "3 images" in (tmp_path / "inspection.html").read_text()

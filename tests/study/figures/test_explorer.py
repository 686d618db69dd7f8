import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from anomalylib.metrics import intervals
from study.figures.explorer import explorer, panels
from study.names import MAIN, MEASURED, plain
from study.tables.reference import read_tables, scores_of
from tests.study.book.test_browser import Reader, browser, site

__all__ = ["browser", "site"]


@pytest.fixture(scope="module")
def data():
    scores, nominal = read_tables("scores", "nominal")
    return scores, nominal, panels(scores, nominal, MAIN)


def test_a_panel_holds_every_test_image_and_the_reports_threshold(data):
    scores, nominal, found = data
    first = scores.category.iloc[0]
    names = [plain(f"{first}, {name}") for name in MEASURED]
    assert [panel["name"] for panel in found[: len(MEASURED)]] == names
    own = {"category": "screw", "model": "combined", "backbone": MAIN}
    labels, values = scores_of(scores, **own)
    (panel,) = [panel for panel in found if panel["name"] == "screw, combined"]
    assert panel["labels"] == labels.tolist()
    assert panel["scores"] == pytest.approx(values[0], rel=1e-5)
    rows = nominal[(nominal.variant == "plain") & (nominal.seed == 0)]
    for column, value in own.items():
        rows = rows[rows[column] == value]
    learned = rows.score
    assert panel["threshold"] == pytest.approx(learned.mean() + 3 * learned.std(ddof=0), rel=1e-5)
    assert panel["edges"][0] <= min(panel["scores"]) and panel["edges"][-1] >= panel["threshold"]


def test_the_data_survive_the_way_into_the_page(data):
    scores, nominal, found = data
    read = {}

    class Page(HTMLParser):
        def handle_starttag(self, tag, attributes):
            read.update({k: v for k, v in attributes if k == "data-panels"})

    Page().feed(explorer(scores, nominal, MAIN).data)
    assert json.loads(read["data-panels"]) == found


@pytest.mark.parametrize(("at", "slide"), [(2, 300), (7, 700), (9, 0), (0, 1000)])
def test_the_line_counts_as_the_library_does(site, browser, data, at, slide):
    panel, reader = data[2][at], Reader(browser, 390)
    assert not reader.read(site / "chapters" / "thresholds.html")
    page = reader.page
    page.select_option(".explorer select", index=at)
    scores, labels = np.array(panel["scores"]), np.array(panel["labels"])

    def expect(threshold):
        above = scores > threshold
        hits, alarms = int(above[labels == 1].sum()), int(above[labels == 0].sum())
        normal = int((labels == 0).sum())
        bound = round(100 * intervals.upper_bound(alarms, normal)) if alarms < normal else 100
        said = page.inner_text(".explorer output")
        found = [int(number) for number in re.findall(r"(\d+)(?: of| %)", said)]
        recall = 100 * hits / (labels == 1).sum()
        assert found[0] == hits and abs(found[1] - recall) <= 0.51 and found[2:] == [alarms, bound]

    expect(panel["threshold"])
    page.evaluate(
        """value => {
            const slider = document.querySelector(".explorer input");
            slider.value = value;
            slider.dispatchEvent(new Event("input"));
        }""",
        slide,
    )
    low, high = (
        np.log(panel["edges"])[[0, -1]] if panel["log"] else np.array(panel["edges"])[[0, -1]]
    )
    value = low + slide / 1000 * (high - low)
    expect(np.exp(value) if panel["log"] else value)
    page.click(".explorer button")
    expect(panel["threshold"])
    bars = page.locator(".explorer rect").count()
    assert bars == 2 * (len(panel["edges"]) - 1)

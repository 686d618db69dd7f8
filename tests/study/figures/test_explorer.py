import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from anomalylib.metrics import intervals
from study.figures.explorer import explorer, images, panels
from study.names import MAIN, MODELS, label, plain
from study.tables.reference import read_arrays, read_tables, scores_of
from tests.study.book.test_browser import Reader, browser, site

__all__ = ["browser", "site"]


@pytest.fixture(scope="module")
def data():
    scores, nominal = read_tables("scores", "nominal")
    maps = read_arrays("maps")
    return scores, nominal, panels(scores, nominal, maps, MAIN), maps


def test_a_panel_holds_every_test_image_and_the_reports_threshold(data):
    scores, nominal, found, maps = data
    first = scores.category.iloc[0]
    shown = [(panel["category"], panel["model"]) for panel in found[: len(MODELS)]]
    assert shown == [(plain(first), label(name)) for name in MODELS]
    own = {"category": "screw", "model": "combined", "backbone": MAIN}
    labels, values = scores_of(scores, **own)
    (panel,) = [
        panel
        for panel in found
        if (panel["category"], panel["model"]) == ("screw", label("combined"))
    ]
    assert base64.b64decode(panel["maps"]) == maps["screw combined"].tobytes()
    assert panel["side"] == maps["screw combined"].shape[-1]
    assert panel["labels"] == labels.tolist()
    assert panel["scores"] == pytest.approx(values[0], rel=1e-5)
    rows = nominal[(nominal.variant == "plain") & (nominal.seed == 0)]
    for column, value in own.items():
        rows = rows[rows[column] == value]
    learned = rows.score
    assert panel["threshold"] == pytest.approx(learned.mean() + 3 * learned.std(ddof=0), rel=1e-5)
    assert panel["edges"][0] <= min(panel["scores"]) and panel["edges"][-1] >= panel["threshold"]


def test_the_data_survive_the_way_into_the_page(data):
    scores, nominal, found, maps = data
    read = {}

    class Page(HTMLParser):
        def handle_starttag(self, tag, attributes):
            read.update({k: v for k, v in attributes if k.startswith("data-")})

    Page().feed(explorer(scores, nominal, maps, MAIN).data)
    assert json.loads(read["data-panels"]) == found
    names = json.loads(read["data-images"])
    assert names == images(scores)
    for panel in found:
        own = names[panel["category"]]
        assert len(own) == len(panel["scores"])
        assert [not name.startswith("good") for name in own] == [bool(x) for x in panel["labels"]]


@pytest.mark.parametrize(("at", "slide"), [(2, 300), (7, 700), (9, 0), (0, 1000)])
def test_the_line_counts_as_the_library_does(site, browser, data, at, slide):
    panel, reader = data[2][at], Reader(browser, 390)
    assert not reader.read(site / "chapters" / "thresholds.html")
    page = reader.page
    page.select_option(".explorer-panel", index=at)
    scores, labels = np.array(panel["scores"]), np.array(panel["labels"])

    def expect(threshold):
        above = scores > threshold
        hits, alarms = int(above[labels == 1].sum()), int(above[labels == 0].sum())
        normal = int((labels == 0).sum())
        bound = round(100 * intervals.upper_bound(alarms, normal)) if alarms < normal else 100
        said = page.inner_text(".explorer-counts")
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


def test_a_test_image_is_chosen_by_click_or_list_with_its_map_and_its_ranks(site, browser, data):
    at = [(panel["category"], panel["model"]) for panel in data[2]].index(
        ("metal nut", label("combined"))
    )
    panel, reader = data[2][at], Reader(browser, 1440)
    assert not reader.read(site / "chapters" / "thresholds.html")
    page = reader.page
    page.select_option(".explorer-panel", index=at)
    worst = int(np.argmax(panel["scores"]))
    assert page.input_value(".explorer-image") == str(worst)  # the highest score to begin with
    chosen = 30
    page.select_option(".explorer-image", value=str(chosen))
    said = page.inner_text(".explorer-ranks")
    name = images(data[0])["metal nut"][chosen]
    assert said.startswith(f"{name} (")
    for other in (each for each in data[2] if each["category"] == "metal nut"):
        rank = 1 + sum(score > other["scores"][chosen] for score in other["scores"])
        assert f"{other['model']} {rank}" in said
    middle = "canvas => [...canvas.getContext('2d').getImageData(4, 4, 1, 1).data]"
    drawn = page.eval_on_selector(".explorer canvas", middle)
    first = base64.b64decode(panel["maps"])[chosen * panel["side"] ** 2]
    assert drawn[3] == 255 and sum(drawn[:3]) >= 112 + first  # the palette grows brighter
    page.eval_on_selector(".explorer svg", "svg => svg.scrollIntoView()")
    box = page.locator(".explorer svg").bounding_box()
    page.mouse.click(box["x"] + 1, box["y"] + box["height"] * 196 / 236)
    low = [int(i) for i in np.flatnonzero(np.array(panel["scores"]) <= panel["edges"][0] * 1.5)]
    assert int(page.input_value(".explorer-image")) in (low or [int(np.argmin(panel["scores"]))])
    page.select_option(".explorer-panel", index=at - 1)  # ResNet features have no map
    assert page.locator(".explorer canvas").is_hidden()

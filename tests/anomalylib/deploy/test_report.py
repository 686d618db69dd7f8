import html.parser
from pathlib import Path

import numpy as np
import pytest

from anomalylib.deploy import report
from anomalylib.deploy.inspect import Finding
from anomalylib.deploy.saving import describe
from anomalylib.detectors.autoencoder import Autoencoder


def finding(name, score, threshold=1.0, cells=2):
    image = np.full((32, 32, 3), 100, dtype=np.uint8)
    return Finding(
        Path(name),
        "anomalous" if score > threshold else "normal",
        score,
        threshold,
        nearest=1,
        nearest_name="b.png",
        image=image,
        map=np.full((cells, cells), score),
    )


@pytest.fixture(scope="module")
def detector():
    images = [np.full((32, 32, 3), value, np.uint8) for value in (0, 200)]
    return Autoencoder(side=32, code=2, epochs=1).fit(images)


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.sources = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        if tag == "img":
            assert given["alt"]
        self.sources += [value for key, value in attributes if key in ("src", "href")]


def test_the_report_needs_no_other_file_and_runs_nothing(detector, tmp_path):
    found = [finding("<script>alert(1)</script>.png", 3.0), finding("fine.png", 0.5)]
    found.append(Finding(Path("gone.png"), "unreadable", reason="it is <b>empty</b>"))
    text = report.write_report(detector, found, tmp_path / "r.html").read_text()
    page = Page(text)
    assert "script" not in page.tags and "b" in page.tags
    assert len(page.sources) == 2 * 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert "3 images: 1 anomalous, 1 normal, 1 unreadable" in text
    assert "&lt;b&gt;empty" in text


def test_a_map_of_one_cell_is_not_drawn(detector, tmp_path):
    text = report.write_report(detector, [finding("x.png", 2.0, cells=1)], tmp_path / "r.html")
    assert len(Page(text.read_text()).sources) == 2


def test_images_are_few_and_the_table_is_whole(detector, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "SHOWN", 1)
    found = [finding("low.png", 0.1), finding("high.png", 9.0)]
    text = report.write_report(detector, found, tmp_path / "r.html").read_text()
    assert text.count("<figure>") == 1 and "high.png" in text.split("</figure>")[0]
    assert text.count("<tr") == 1 + 2


def test_the_overlay_is_brighter_where_the_map_is_higher():
    anomaly_map = np.array([[0.0, 0.0], [0.0, 2.0]])
    found = Finding(
        Path("x"),
        "anomalous",
        2.0,
        1.0,
        image=np.full((32, 32, 3), 50, np.uint8),
        map=anomaly_map,
    )
    shown = report.overlay(found).astype(int)
    assert shown[24, 24].sum() > shown[4, 4].sum() + 200


def test_about_says_what_normal_means(detector):
    text = report.about(describe(detector), str(detector.rule_))
    assert "2 normal images" in text and "mean + 3σ" in text and "no proof" in text

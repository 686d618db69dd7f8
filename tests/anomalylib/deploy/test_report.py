import html.parser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from anomalylib.deploy import report
from anomalylib.deploy.inspect import Finding
from anomalylib.deploy.saving import Card


def finding(name, score, threshold=1.0, cells=2):
    picture = np.full((32, 32, 3), 100, dtype=np.uint8)
    anomaly_map = np.full((cells, cells), score)
    decision = "anomalous" if score > threshold else "normal"
    return Finding(Path(name), decision, score, threshold, "b.png", 0.5, True, picture, anomaly_map)


@pytest.fixture
def detector():
    pictures = np.zeros((2, 8, 8, 3), dtype=np.uint8)
    pictures[1] = 200
    card = Card(
        arm="combined",
        settings={},
        backbone={"name": "resnet50"},
        preprocessing={},
        threshold=1.0,
        rule={"name": "MeanPlusSigma", "sigma": 3.0},
        fingerprint="f" * 64,
        images=["a.png", "b.png"],
        versions={},
        date="2026-01-01",
    )
    return SimpleNamespace(card_=card, nominal_pictures_=pictures)


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
    assert "3 pictures: 1 anomalous, 1 normal, 1 unreadable" in text
    assert "&lt;b&gt;empty" in text


def test_a_map_of_one_cell_is_not_drawn(detector, tmp_path):
    text = report.write_report(detector, [finding("x.png", 2.0, cells=1)], tmp_path / "r.html")
    assert len(Page(text.read_text()).sources) == 2


def test_pictures_are_few_and_the_table_is_whole(detector, tmp_path, monkeypatch):
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
        picture=np.full((32, 32, 3), 50, np.uint8),
        map=anomaly_map,
    )
    shown = report.overlay(found).astype(int)
    assert shown[24, 24].sum() > shown[4, 4].sum() + 200


def test_the_nearest_picture_is_found_by_name(detector):
    assert (report.nearest_picture(detector, finding("x", 1.0)) == 200).all()


def test_about_says_what_normal_means(detector):
    said = report.about(detector.card_)
    assert "2 normal images" in said and "mean + 3σ" in said and "no proof" in said


def test_every_rule_of_a_saved_detector_has_words():
    from anomalylib.detectors import thresholds

    for kind in (thresholds.MeanPlusSigma, thresholds.Quantile, thresholds.Conformal):
        assert "{" not in report.RULES[kind.__name__].format(**vars(kind()))

import json
import os

import pytest

from anomalylib.deploy import inspect as inspection
from anomalylib.deploy import watch
from anomalylib.deploy.saving import load
from anomalylib.detectors.pooled import Pooled
from anomalylib.errors import UserError
from anomalylib.images.reading import read_image
from tests.anomalylib.deploy.watching import SECOND, draw, kept, names
from tests.anomalylib.drawn import NORMAL


@pytest.fixture(scope="module")
def detector(detector_file):
    return load(detector_file)


def seen(detector, folder, *steps, patience=5):
    """What a watcher says that looks at the folder after each step, at its time or one later."""

    def times():
        now = 0
        for step in steps:
            now += step if isinstance(step, int) else 1
            if callable(step):
                step()
            yield now

    with watch.held(folder, folder / "inspected.jsonl") as record:
        found = watch.lines(detector, folder, record, times(), patience)
        return [json.loads(line) for line in found]


def test_a_line_says_what_inspecting_says_and_which_file_it_was(detector, folder):
    paths = [draw(folder / "a.png", 0), draw(folder / "shift 2" / "ü.bmp", 1)]
    rows = seen(detector, folder, 1, 1)
    assert rows == kept(folder) and names(rows) == ["a.png", "shift 2/ü.bmp"]
    for row, path, finding in zip(rows, paths, inspection.inspect(detector, paths), strict=True):
        verdict = detector.inspect(read_image(path))
        assert row["score"] == verdict.score
        assert (row["decision"] == "anomalous") == verdict.anomalous == (path is paths[1])
        same = ("decision", "threshold", "nearest", "checked", "reason")
        assert {name: row[name] for name in same} == {name: finding.row[name] for name in same}
        assert row["distance"] == pytest.approx(finding.distance)
        about = path.stat()
        assert (row["size"], row["mtime_ns"]) == (about.st_size, about.st_mtime_ns)
        assert row["scored"].endswith("+00:00") and row["milliseconds"] > 0


def test_the_backbone_sees_an_image_once(extractor, folder, monkeypatch):
    detector, passes = Pooled(extractor).fit(NORMAL), []
    forward = extractor.feature_maps
    detector.gallery()
    count = lambda images: passes.append(len(images)) or forward(images)  # noqa: E731
    monkeypatch.setattr(extractor, "feature_maps", count)
    draw(folder / "a.png", 0)
    (row,) = seen(detector, folder, 1, 1)
    assert passes == [1] and row["nearest"] == "0"


def test_a_line_is_in_the_record_before_it_is_given(detector, folder):
    draw(folder / "a.png", 0), draw(folder / "b.png", 1)
    with watch.held(folder, folder / "inspected.jsonl") as record:
        for count, line in enumerate(watch.lines(detector, folder, record, [0, 1], 5), 1):
            assert len(kept(folder)) == count and kept(folder)[-1] == json.loads(line)


def test_the_oldest_comes_first_then_the_name(detector, folder):
    for name, changed in (("b.png", 5), ("z.png", 3), ("a.png", 5), ("in/c.png", 4)):
        draw(folder / name, 0, changed)
    assert names(seen(detector, folder, 1, 1)) == ["z.png", "in/c.png", "a.png", "b.png"]


def test_an_image_is_scored_when_it_is_the_same_at_two_looks(detector, folder):
    path = folder / "a.png"
    whole = draw(path, 1).read_bytes()

    def grow(share):
        return lambda: path.write_bytes(whole[: int(share * len(whole))])

    assert seen(detector, folder, grow(0.2), grow(0.5), grow(0.9), grow(1)) == []
    (row,) = seen(detector, folder, grow(0.2), 1, grow(0.9), 4, grow(1), 1, 9)
    assert row["decision"] == "anomalous" and row["size"] == len(whole)


def test_what_stays_undecodable_is_unreadable_once_and_scored_when_completed(detector, folder):
    path = folder / "a.png"
    whole = draw(path, 0).read_bytes()
    path.write_bytes(whole[:900])
    assert seen(detector, folder, 0, 4) == []
    half, later = seen(detector, folder, 0, 4, 1, 9, lambda: path.write_bytes(whole), 1, 9)
    assert half["decision"] == "unreadable" and str(path) in half["reason"]
    assert half["score"] is None and half["size"] == 900
    assert later["decision"] == "normal" and later["size"] == len(whole)
    assert seen(detector, folder, 0, 9) == []


def test_an_image_that_is_overwritten_is_another(detector, folder):
    path = draw(folder / "a.png", 0, 1)
    rows = seen(detector, folder, 1, 1, 1, lambda: draw(path, 1, 2), 1, 1)
    assert [row["decision"] for row in rows] == ["normal", "anomalous"]
    assert seen(detector, folder, 1, 1) == []
    draw(path, 1, 3)  # as before, but written anew
    assert len(seen(detector, folder, 1, 1)) == 1 and len(kept(folder)) == 3


def test_what_vanishes_is_passed_over(detector, folder, monkeypatch):
    path = draw(folder / "a.png", 0)
    assert seen(detector, folder, 1, path.unlink, 1) == []
    draw(folder / "b.png", 0), draw(folder / "in" / "c.png", 2)
    scored = watch.scored

    def and_gone(detector, paths):
        found = scored(detector, paths)
        paths[0].unlink()
        return found

    monkeypatch.setattr(watch, "scored", and_gone)
    assert seen(detector, folder, 1, 1, 1) == [] and kept(folder) == []


def test_an_image_that_changes_while_it_is_read_is_scored_as_it_is_then(
    detector, folder, monkeypatch
):
    path = draw(folder / "a.png", 0, 1)
    scored, times = watch.scored, []

    def changed(detector, paths):
        times.append(1)
        return scored(detector, [draw(path, 1, 2)] if len(times) == 1 else paths)

    monkeypatch.setattr(watch, "scored", changed)
    (row,) = seen(detector, folder, 1, 1, 1, 1)
    assert row["mtime_ns"] == 2 * SECOND and row["decision"] == "anomalous"


def test_a_score_that_is_no_number_is_unreadable_and_the_others_are_judged(
    detector, folder, monkeypatch
):
    draw(folder / "a.png", 0, 1), draw(folder / "b.png", 2, 2)
    scored = watch.scored

    def spoiled_once(detector, paths):
        if paths[0].name == "a.png":
            raise UserError("the score of image 0 of 1 is nan")
        return scored(detector, paths)

    monkeypatch.setattr(watch, "scored", spoiled_once)
    rows = seen(detector, folder, 1, 1, 9)
    assert [(row["image"], row["decision"]) for row in rows] == [
        ("b.png", "normal"),
        ("a.png", "unreadable"),
    ]
    assert "nan" in rows[1]["reason"]


def test_names_of_writers_and_systems_are_passed_over(detector, folder):
    for name in (".a.png", "a.png.part", "a.txt", ".in/a.png", "@eaDir/a.png", "a"):
        draw(folder / "x.png", 0)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / "x.png").rename(folder / name)
    (folder / "gone.png").symlink_to(folder / "nothing.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    assert seen(detector, folder, 1, 1, 9) == []
    (folder / "a.HEIC").write_bytes(b"of a telephone")
    (row,) = seen(detector, folder, 1, 1, 9)
    assert row["decision"] == "unreadable" and row["image"] == "a.HEIC"


def test_a_name_that_is_no_text_is_scored_once(detector, folder):
    path = draw(folder / "a.png", 0)
    try:
        path.rename(folder / os.fsdecode(b"a\xff.png"))
    except OSError:
        pytest.skip("no such names on this file system")
    assert len(seen(detector, folder, 1, 1)) == 1
    assert seen(detector, folder, 1, 1) == []


def test_half_a_line_is_cut_off_wherever_it_ends_and_its_image_scored_again(detector, folder):
    draw(folder / "a.png", 0, 1), draw(folder / "b.png", 1, 2)
    rows, path = seen(detector, folder, 1, 1), folder / "inspected.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    halves = [second[:end] for end in range(1, len(second))]
    for half in (*halves, second[:40] + b"\0" * 40, b"\0" * 40):
        path.write_bytes(first + half)
        with path.open("a+b") as record:
            assert {version.image for version in watch.scored_before(record)} == {"a.png"}
        assert path.read_bytes() == first
    path.write_bytes(first + second[:99])
    (again,) = seen(detector, folder, 1, 1)
    assert again["score"] == rows[1]["score"] and names(kept(folder)) == ["a.png", "b.png"]
    assert seen(detector, folder, 1, 1) == []


def test_a_record_of_something_else_is_refused_and_left_as_it_is(detector, folder):
    path = folder / "inspected.jsonl"
    for other in (
        b"half a line of a letter",
        b"a letter\n",
        b'{"image": 3}\n',
        b"[1]\n",
        b"\xff\n",
    ):
        path.write_bytes(other)
        with pytest.raises(UserError, match=r"line 1 of .*inspected.jsonl is not of a watcher"):
            seen(detector, folder, 1, 1)
        assert path.read_bytes() == other

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from anomalylib.__main__ import main
from anomalylib.deploy import inspect as inspection
from anomalylib.deploy.saving import load, save
from anomalylib.errors import UserError
from anomalylib.images.category import load_category


@pytest.fixture(scope="module")
def detector_file(tiny_root, tmp_path_factory):
    """A resnet model on the package's backbone, fitted on drawn nuts."""
    from anomalylib.detectors.combined import Combined
    from anomalylib.features.extractor import FeatureExtractor
    from anomalylib.features.weights import resolve_backbone

    folder = tmp_path_factory.mktemp("detector")
    extractor = FeatureExtractor(resolve_backbone("efficientnet_lite0"), image_size=64)
    detector = Combined(extractor, epochs=2, cache=folder)
    detector.fit(load_category(tiny_root, "metal_nut").train)
    return save(detector, folder / "nut.safetensors")


@pytest.fixture
def parts(tiny_root, tmp_path):
    """A training image, an image of noise, a grey one and a file that is none."""
    train = load_category(tiny_root, "metal_nut").train
    folder = tmp_path / "neue Teile"
    folder.mkdir()
    Image.fromarray(train[2]).save(folder / "known.png")
    noise = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.bmp")
    Image.new("L", (64, 64), 128).save(folder / "grey.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    return folder


def test_findings_agree_with_the_detector(detector_file, parts):
    detector = load(detector_file)
    found = {each.path.name: each for each in inspection.inspect(detector, [parts])}
    assert list(found) == ["broken.jpg", "grey.png", "known.png", "noise.bmp"]
    known, noise = found["known.png"], found["noise.bmp"]
    images = [np.asarray(Image.open(parts / name)) for name in ("known.png", "noise.bmp")]
    assert [known.score, noise.score] == pytest.approx(detector.score_samples(images), rel=1e-5)
    assert noise.decision == "anomalous" and noise.score > noise.threshold == detector.threshold_
    assert (
        known.nearest_name == "train/good/002.png"
        and known.nearest == 2
        and known.distance < 1e-3 < noise.distance
    )
    assert known.checked and not noise.checked
    assert found["broken.jpg"].decision == "unreadable"
    assert "broken.jpg" in found["broken.jpg"].reason
    assert noise.map.shape == detector.anomaly_maps(images[1:])[0].shape


def test_many_are_scored_as_one_alone(detector_file, parts, monkeypatch):
    detector = load(detector_file)
    paths = [parts / name for name in ("grey.png", "known.png", "noise.bmp")]
    together = inspection.inspect(detector, paths)
    monkeypatch.setattr(inspection, "AT_ONCE", 1)
    alone = inspection.inspect(detector, paths)
    assert [f.score for f in alone] == pytest.approx([f.score for f in together], rel=1e-5)
    assert [f.nearest for f in alone] == [f.nearest for f in together]


def test_the_backbone_sees_each_image_once(detector_file, parts, monkeypatch):
    detector, seen = load(detector_file), []
    forward = detector.features.feature_maps
    count = lambda images: seen.append(len(images)) or forward(images)  # noqa: E731
    monkeypatch.setattr(detector.features, "feature_maps", count)
    inspection.inspect(detector, [parts])
    assert sum(seen) == 3  # the fourth cannot be read


def test_the_table_begins_with_what_cannot_be_read(detector_file, parts):
    findings = inspection.inspect(load(detector_file), [parts])
    table = inspection.as_table(findings)
    assert table.image.iloc[0].endswith("broken.jpg")
    assert table.score.iloc[1:].is_monotonic_decreasing
    said = json.loads(inspection.as_json(findings))
    assert said[0]["score"] is None and {row["decision"] for row in said} >= {"unreadable"}


def test_images_are_files_and_folders_in_order(parts, tmp_path):
    given = [parts / "noise.bmp", parts]
    names = [path.name for path in inspection.images_of(given)]
    assert names == ["noise.bmp", "broken.jpg", "grey.png", "known.png"]
    (tmp_path / "empty").mkdir()
    for wrong in ([tmp_path / "empty"], [tmp_path / "gone.png"], []):
        with pytest.raises(UserError, match=r"no image|nothing at"):
            inspection.images_of(wrong)


def test_whatever_lies_in_a_folder_is_scored_or_named(detector_file, parts, tmp_path, capsys):
    folder = tmp_path / "new"
    for name, suffix in (("JPEG", "jpe"), ("JPEG", "jfif"), ("PNG", "PNG"), ("BMP", "dib")):
        (folder / "shift 2" / suffix).mkdir(parents=True)
        image = Image.open(parts / "noise.bmp")
        image.save(folder / "shift 2" / suffix / f"a.{suffix}", name)
    (folder / "notes.txt").write_text("not an image")
    (folder / ".DS_Store").write_text("of the system")
    command = ["inspect", "--detector", str(detector_file), "--json", str(folder)]
    assert main(command) == 2
    printed = capsys.readouterr()
    rows = {row["image"].rpartition("/")[2]: row["decision"] for row in json.loads(printed.out)}
    assert rows == dict.fromkeys(("a.jpe", "a.jfif", "a.PNG", "a.dib"), "anomalous") | {
        "notes.txt": "unreadable"
    }
    assert "notes.txt" in printed.err
    (folder / "notes.txt").unlink()
    assert main(command) == 1


def test_a_threshold_that_is_given_decides_and_is_shown(detector_file, parts, tmp_path, capsys):
    command = ["inspect", "--detector", str(detector_file), "--json", str(parts / "noise.bmp")]
    report = tmp_path / "report.html"
    assert main([*command, "--threshold", "1e9", "--html", str(report)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["decision"] == "normal" and row["threshold"] == 1e9
    assert "above 1e+09 is called anomalous (given)" in report.read_text()
    for wrong in ("nan", "inf"):
        assert main([*command, "--threshold", wrong]) == 2
        assert wrong in capsys.readouterr().err


@pytest.fixture
def normal_parts(tiny_root, tmp_path):
    """A folder of normal images that were not learned from."""
    test = load_category(tiny_root, "metal_nut").test
    folder = tmp_path / "normal parts"
    folder.mkdir()
    for number in np.flatnonzero(test.labels == 0):
        Image.fromarray(test[number]).save(folder / f"{number}.png")
    return folder


def test_calibrating_carries_rule_and_threshold_everywhere(
    detector_file, parts, normal_parts, tmp_path, capsys
):
    scores = np.sort([f.score for f in inspection.inspect(load(detector_file), [normal_parts])])
    given = ["--detector", str(detector_file), str(normal_parts)]
    output = tmp_path / "mine.safetensors"
    for rule, rate, expected in (
        ("sigma", "0.05", scores.mean() + 3 * scores.std()),
        ("quantile", "0.5", np.median(scores)),
        ("conformal", "0.5", scores[int(np.ceil(0.5 * (len(scores) + 1))) - 1]),
    ):
        options = ["--output", str(output), "--rule", rule, "--rate", rate]
        assert main(["calibrate", *given, *options]) == 0
        printed = capsys.readouterr().out
        detector = load(output)
        assert detector.threshold_ == pytest.approx(expected, rel=1e-5)
        assert detector.rule_.origin.endswith(f", from {len(scores)} images")
        assert f"threshold {expected:.4g}, {detector.rule_.origin}" in printed
        assert f"above it: {(scores > expected).sum()} of these" in printed
    report = tmp_path / "r.html"
    main(["inspect", "--detector", str(output), "--html", str(report), str(parts / "noise.bmp")])
    assert f"above {expected:.4g} is called anomalous ({detector.rule_.origin})" in (
        report.read_text()
    )


def test_calibrating_refuses_what_sets_no_threshold(
    detector_file, parts, normal_parts, tiny_root, tmp_path, capsys
):
    output = tmp_path / "mine.safetensors"
    command = ["calibrate", "--detector", str(detector_file), "--output", str(output)]
    learned = str(load_category(tiny_root, "metal_nut").train.folder / "train" / "good")
    for more, words in (
        ([str(normal_parts), "--rate", "0.001"], "sets a threshold of inf"),
        ([str(normal_parts), "--rate", "7"], "is no share"),
        ([str(normal_parts), "--rule", "sigma", "--sigma", "nan"], "sets a threshold of nan"),
        ([str(parts / "broken.jpg"), str(normal_parts)], "cannot read"),
        ([learned], "not learned from"),
    ):
        assert main([*command, *more]) == 2
        (line,) = [one for one in capsys.readouterr().err.splitlines() if "error" in one]
        assert words in line
    assert not output.exists()


def test_what_is_known_of_the_training_images_is_repeated(detector_file, parts, tmp_path, capsys):
    detector = load(detector_file)
    detector.remarks_ = ("metal_nut: stop, the illumination is not the same",)
    path = save(detector, tmp_path / "x.safetensors")
    report = tmp_path / "r.html"
    main(["inspect", "--detector", str(path), "--html", str(report), str(parts / "grey.png")])
    assert "remember: metal_nut: stop, the illumination is not the same" in capsys.readouterr().err
    assert "the illumination is not the same" in report.read_text()


def test_deeper_images_are_scaled_as_the_training_images_were(detector_file, parts, tmp_path):
    detector = load(detector_file)
    detector.bits_ = 12
    grey = np.asarray(Image.open(parts / "noise.bmp").convert("L"))
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) << 4).save(tmp_path / "12.png")
    Image.fromarray(grey.astype(np.uint16) << 8).save(tmp_path / "16.png")
    path = save(detector, tmp_path / "x.safetensors")
    eight, twelve, sixteen = inspection.inspect(
        load(path), [tmp_path / f"{bits}.png" for bits in (8, 12, 16)]
    )
    assert twelve.score == eight.score
    assert sixteen.decision == "unreadable" and "4095" in sixteen.reason


def test_the_command_prints_writes_and_tells_by_its_exit_code(
    detector_file, parts, tmp_path, capsys
):
    files = ["--csv", str(tmp_path / "t.csv"), "--html", str(tmp_path / "r.html")]
    command = ["inspect", "--detector", str(detector_file)]
    assert main([*command, *files, str(parts)]) == 2
    out, err = capsys.readouterr()
    assert "broken.jpg" in err and "4 images" in out and "noise.bmp" in out
    assert len(pd.read_csv(tmp_path / "t.csv")) == 4
    assert main([*command, "--json", str(parts / "noise.bmp")]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert row["decision"] == "anomalous" and row["score"] > row["threshold"]
    assert main([*command, "--json", str(tmp_path / "t.csv")]) == 2
    assert json.loads(capsys.readouterr().out)[0]["decision"] == "unreadable"
    assert main(["inspect", "--detector", str(parts / "grey.png"), str(parts)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "no detector of this version" in line

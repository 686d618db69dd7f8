from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from PIL import Image

from anomalylib.images.category import load_category
from anomalylib.metrics.image import auroc
from anomalylib.metrics.intervals import bootstrap, win_matrix
from study.datacheck import checks
from study.datacheck.check import LOOK, OK, STOP, Check
from study.datacheck.survey import survey
from study.figures import datacheck as figures
from study.parts.bracket import ensure_bracket

NAMES = ["counts", "files", "formats", "range", "copies", "brightness", "contrast"]
NAMES += ["sharpness", "outliers", "masks", "control"]


def verdicts(found):
    return {check.name: check.verdict for check in found}


def checked(name, found):
    """One check of a survey, by its name."""
    return Check(name, *checks.CHECKS[name](found))


def test_nothing_is_said_where_nothing_is_wrong(survey_of):
    found = verdicts(checks.check_all(survey_of()))
    assert list(found) == NAMES
    assert set(found.values()) == {OK}


def test_a_shift_is_the_auroc_of_test_against_training_images(survey_of):
    found = survey_of()
    own = found.images
    own.loc[(own.set == "test") & (own.label == 0), "mean_grey"] -= 1
    normal = own[own.label == 0]
    expected = auroc((normal.set == "test").to_numpy(), normal.mean_grey.to_numpy())
    assert f"{expected:.3f} [" in checked("brightness", found).sentence


@pytest.mark.parametrize(("by", "verdict"), [(0, OK), (2.5, LOOK), (-2.5, LOOK), (-9, STOP)])
def test_light_that_moves_between_training_and_test_is_seen(survey_of, by, verdict):
    found = survey_of()
    own = found.images
    normal = (own.set == "test") & (own.label == 0)
    own.loc[normal, "mean_grey"] += by
    assert checked("brightness", found).verdict == verdict
    assert checked("contrast", found).verdict == OK
    own.loc[own.label == 1, "mean_grey"] += 50  # what defects look like does not enter
    assert checked("brightness", found).verdict == verdict


def test_sound_sets_are_seldom_called_shifted():
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [120, 22])
    found = [
        checks.effect(bootstrap(win_matrix(labels, random.normal(size=142)))) for _ in range(30)
    ]
    assert found.count(OK) >= 25 and STOP not in found  # 4 in 100 are expected


def test_the_control_is_the_auroc_of_mean_grey(survey_of):
    found = survey_of()
    own = found.images
    own.loc[own.label == 1, "mean_grey"] += 4
    test = own[own.set == "test"]
    expected = auroc(test.label.to_numpy(), test.mean_grey.to_numpy())
    assert f"{expected:.3f} [" in checked("control", found).sentence
    own.loc[own.label == 1, "mean_grey"] += 50
    assert checked("control", found).verdict == STOP


def test_few_images_are_not_judged(survey_of):
    found = verdicts(checks.check_all(survey_of(train=4, normal=1, anomalous=0)))
    assert found["brightness"] == found["contrast"] == LOOK
    assert found["sharpness"] == found["outliers"] == LOOK
    assert found["control"] == found["masks"] == OK


def test_a_blurred_and_a_strange_normal_image_are_named(survey_of):
    found = survey_of()
    images = found.images.copy()
    images.loc[3, "sharpness"] = 0.02
    images.loc[7, "mean_grey"] = 30.0
    found = replace(found, images=images)
    blurred = checked("sharpness", found)
    assert blurred.verdict == LOOK and blurred.table["image"].tolist() == ["good/003.png"]
    strange = checked("outliers", found)
    assert strange.verdict == LOOK and strange.table["image"].tolist() == ["good/007.png"]


def test_a_image_unlike_all_others_is_named(survey_of):
    found = survey_of()
    random = np.random.default_rng(4)
    one = random.normal(size=found.thumbnails.shape[1:])
    alike = one + 0.3 * random.normal(size=found.thumbnails.shape)
    alike[11] = random.normal(size=one.shape)
    strange = checked("outliers", replace(found, thumbnails=alike))
    assert strange.table["image"].tolist() == ["good/011.png"]


def test_copies_leak_across_and_count_double_within(survey_of):
    found = survey_of()
    pixels = found.images.pixels.tolist()
    for first, second, verdict in ((0, 1, LOOK), (0, 90, STOP), (85, 120, STOP), (120, 121, LOOK)):
        given = pixels.copy()
        given[second] = given[first]
        said = checked("copies", replace(found, images=found.images.assign(pixels=given)))
        assert said.verdict == verdict
        assert said.table["first"].tolist() == [found.images.image[first]]
    near = found.thumbnails.copy()
    near[100] = near[2] * 0.9 + 5
    said = checked("copies", replace(found, thumbnails=near))
    assert said.verdict == LOOK and said.table["where"].tolist() == [
        "train, normal and test, normal"
    ]


def test_deviations_are_robust_and_have_a_floor():
    values = np.exp(np.random.default_rng(0).normal(0, 0.5, 2000))
    assert checks.deviations(values).std() == pytest.approx(1, abs=0.1)
    values[:100] = 1e6
    assert np.median(np.abs(checks.deviations(values))) == pytest.approx(NormalDist().inv_cdf(0.75))
    almost = np.full(30, 80.0)
    almost[0] = 82
    assert np.abs(checks.deviations(almost)).max() < 1


def test_drawn_brackets_are_sound_but_for_their_shapes(tmp_path):
    root = ensure_bracket(tmp_path / "own", {"normal": 52, "defect": 3})
    found = verdicts(checks.check_category(load_category(root, "bracket")))
    assert found.pop("formats") == LOOK
    assert list(found.values()).count(OK) >= 9 and STOP not in found.values()


def write(folder, count, image=None, first=0):
    folder.mkdir(parents=True)
    random = np.random.default_rng(first)
    for index in range(count):
        pixels = random.integers(0, 256, (30, 30, 3), dtype=np.uint8) if image is None else image
        Image.fromarray(pixels).save(folder / f"{index}.png")


def test_five_images_and_the_same_image_all_over(tmp_path):
    write(tmp_path / "few" / "normal", 5)
    few = checks.check_category(load_category(tmp_path, "few"))
    assert verdicts(few)["copies"] == OK and STOP not in verdicts(few).values()
    grey = np.full((30, 30, 3), 90, dtype=np.uint8)
    write(tmp_path / "same" / "train" / "good", 30, grey)
    write(tmp_path / "same" / "test" / "good", 12, grey)
    write(tmp_path / "same" / "test" / "dent", 12, grey)
    same = checks.check_category(load_category(tmp_path, "same"))
    assert verdicts(same)["copies"] == STOP
    assert {verdicts(same)[name] for name in ("brightness", "outliers", "control")} == {OK}


@pytest.mark.parametrize(
    "counts",
    [
        {"train/good": 1, "test/good": 1, "test/dent": 1},
        {"train/good": 2, "test/good": 1},
        {"train/good": 2, "test/good": 2, "test/dent": 2},
        {"normal": 5, "abnormal": 1},
        {"normal": 5, "validation": 1},
    ],
)
def test_the_smallest_sets_run_to_their_end(tmp_path, counts, no_open_figures):
    for number, (kind, count) in enumerate(counts.items()):
        write(tmp_path / "nut" / kind, count, first=number)
    found = survey(load_category(tmp_path, "nut"))
    said = checks.check_all(found)
    assert list(verdicts(said)) == NAMES and STOP not in verdicts(said).values()
    by_name = {check.name: check for check in said}
    drawn = [figures.sample(found, 0), figures.light(found), figures.most_alike(found)]
    drawn += [figures.least_usual(found, by_name["sharpness"], by_name["outliers"])]
    drawn += [figures.outlined(found)]
    for figure in drawn:
        figure.canvas.draw()
        assert figure.axes


def test_where_no_image_can_be_read_every_check_says_so(tmp_path):
    write(tmp_path / "bolt" / "normal", 6)
    for number, path in enumerate((tmp_path / "bolt" / "normal").iterdir()):
        path.write_text(f"no image {number}")
    found = checks.check_category(load_category(tmp_path, "bolt"))
    assert list(verdicts(found)) == NAMES
    assert {c.verdict for c in found if c.name != "counts"} == {STOP}

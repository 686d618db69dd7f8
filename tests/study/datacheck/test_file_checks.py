from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from study.datacheck import checks, file_checks
from study.datacheck.check import LOOK, OK, STOP, Check


def changed(found, rows, **values):
    """A survey with some values of some rows of its images replaced."""
    images = found.images.copy()
    for column, value in values.items():
        images[column] = images[column].astype(object)
        images.loc[rows, column] = value
    return replace(found, images=images.infer_objects())


def checked(name, found):
    """One check of a survey, by its name."""
    return Check(name, *checks.CHECKS[name](found))


@pytest.mark.parametrize("check", ["counts", "files", "formats", "range", "masks"])
def test_nothing_is_said_where_nothing_is_wrong(survey_of, check):
    assert checked(check, survey_of()).verdict == OK


def test_enough_to_learn_from_is_wilks_number():
    assert 0.95**file_checks.ENOUGH < 0.05 <= 0.95 ** (file_checks.ENOUGH - 1)


def test_the_expected_interval_is_that_of_simulated_scores():
    random = np.random.default_rng(0)
    apart = np.sqrt(2) * stats.norm.ppf(0.9)  # two normal distributions with an AUROC of 0.9
    found = []
    for _ in range(1000):
        normal, anomalous = random.normal(size=(20, 1)), random.normal(apart, size=(1, 40))
        found.append((anomalous > normal).mean())
    assert file_checks.half_interval(20, 40) == pytest.approx(1.96 * np.std(found), rel=0.12)


def test_too_few_images_of_a_kind_are_worth_a_look(survey_of):
    assert checked("counts", survey_of(train=58)).verdict == LOOK
    assert checked("counts", survey_of(train=59)).verdict == OK
    few = checked("counts", survey_of(normal=8, anomalous=8))
    assert few.verdict == LOOK and "take more" in few.sentence
    none = checked("counts", survey_of(normal=30, anomalous=0))
    assert none.verdict == LOOK and "10%" in none.sentence  # 1 - 0.05 ** (1 / 30)


def test_a_file_that_cannot_be_read_is_named_with_its_reason(survey_of):
    found = checked("files", changed(survey_of(), [3], reason="cannot read it (torn)"))
    assert found.verdict == STOP and "1 of 140" in found.sentence
    assert found.table.iloc[0].tolist() == ["good/003.png", "cannot read it (torn)"]


def test_formats_without_checksums_are_said_and_strange_files_worth_a_look(survey_of):
    found = checked("files", changed(survey_of(), [1, 2], checksum=False))
    assert found.verdict == OK and "2 are of a format without checksums" in found.sentence


def test_what_is_not_used_is_named_with_the_reason(survey_of):
    unused = ("normal/a.txt", "overview.png", "photo.HEIC", "videos/")
    found = checked("files", replace(survey_of(), unused=unused))
    assert found.verdict == LOOK and found.table.file.tolist() == list(unused)
    whys = ["suffix is no image's", "beside the folders", "beside the folders", "no image is in it"]
    for said, why in zip(found.table.why, whys, strict=True):
        assert said.startswith("not used: ") and said.endswith((why, "in none of them"))


def test_a_mix_of_formats_matters_where_it_goes_with_the_label(survey_of):
    found = survey_of()
    assert checked("formats", changed(found, range(0, 140, 3), format="JPEG")).verdict == OK
    told = checked("formats", changed(found, range(110, 140), format="JPEG"))
    assert told.verdict == STOP and "100% of the normal and 0% of the anomalous" in told.sentence
    some = checked("formats", changed(found, range(80, 90), bits=16))
    assert some.verdict == LOOK and "of the training and" in some.sentence


def test_shapes_that_become_squares_differently_and_small_images(survey_of):
    odd = checked("formats", changed(survey_of(), range(0, 140, 10), width=320))
    assert odd.verdict == LOOK and "14 of 140" in odd.sentence
    every = checked("formats", changed(survey_of(), range(140), width=320))
    assert every.verdict == OK  # all are squeezed alike
    small = checked("formats", changed(survey_of(), range(140), width=100, height=100))
    assert small.verdict == LOOK and "100 pixels" in small.sentence


def test_images_that_use_little_of_the_range(survey_of):
    found = survey_of()
    some = checked("range", changed(found, [5], brightest=15, bits=16))
    assert some.verdict == LOOK and "which image to learn from has the largest" in some.sentence
    assert some.table["image"].tolist() == ["good/005.png"]
    most = checked("range", changed(found, range(100), brightest=15))
    assert most.verdict == STOP and "light" in most.sentence


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"area": 0.0}, "all of it is black"),
        ({"area": 0.97}, "inverted"),
        ({"reason": "cannot read it"}, "cannot read it"),
    ],
)
def test_a_wrong_mask_stops(survey_of, value, why):
    found = survey_of()
    table = found.masks.copy()
    for column, given in value.items():
        table.loc[2, column] = given
    said = checked("masks", replace(found, masks=table))
    assert said.verdict == STOP and len(said.table) == 1 and why in said.table.why[0]


def test_masks_may_be_absent_but_not_here_and_there(survey_of):
    found = survey_of()
    assert checked("masks", replace(found, masks=found.masks.head(0))).verdict == OK
    assert "No defective parts" in checked("masks", survey_of(anomalous=0)).sentence
    some = checked("masks", replace(found, masks=found.masks.head(28)))
    assert some.verdict == LOOK and "2 of 30" in some.sentence
    assert some.table.why.tolist() == ["has no mask", "has no mask"]


def test_validation_images_are_counted_apart(survey_of):
    found = changed(survey_of(), range(100, 110), set="validation")
    said = checked("counts", found)
    assert "With 20 normal and 30 anomalous test images" in said.sentence
    assert said.table.images.tolist() == [80, 20, 10, 30]

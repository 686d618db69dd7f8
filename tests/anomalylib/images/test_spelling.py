import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylib.images.spelling import BAD, GOOD, MASKS, TEST, TRAIN, VALIDATION, kind_of, nearest

SAID = {
    GOOD: "good Good GOOD ok Okay normal normals fine pass no_defect defect-free good_parts "
    "OK-2 test_good normal_test goood norml good_cam1",
    BAD: "bad NG nok defective Abnormal anomaly anomalies not_good NotOK abnrmal Faulty",
    MASKS: "mask Masks ground-truth groundtruth GT labels",
    VALIDATION: "val Valid validation validaton",
    TRAIN: "Train training",
    TEST: "TEST testing eval",
    "": "scratch broken_large wood gold thread_top combined fine_scratch good_not 3 hole",
}


@pytest.mark.parametrize(("kind", "names"), SAID.items())
def test_what_a_name_says_in_any_spelling(kind, names):
    assert {name: kind_of(name) for name in names.split()} == dict.fromkeys(names.split(), kind)


MVTEC_TYPES = (
    "broken_large broken_small contamination bent_wire cable_swap combined cut_inner_insulation "
    "cut_outer_insulation missing_cable missing_wire poke_insulation crack faulty_imprint poke "
    "scratch squeeze color cut hole metal_contamination thread bent broken glue print fold flip "
    "pill_type manipulated_front scratch_head scratch_neck thread_side thread_top glue_strip "
    "gray_stroke oil rough defective bent_lead cut_lead damaged_case misplaced liquid "
    "broken_teeth fabric_border fabric_interior split_teeth squeezed_teeth logical_anomalies"
)


def test_no_defect_type_of_the_known_data_sets_is_taken_for_good():
    assert not [name for name in MVTEC_TYPES.split() if kind_of(name) == GOOD]


@given(st.sampled_from(["good", "normal", "ok"]), st.sampled_from(["", "_", "-", " ", "2", ".1"]))
def test_case_and_signs_do_not_matter(word, sign):
    spellings = (word, word.upper(), word.title(), f"{word}{sign}", f"{sign}{word}{sign}")
    assert {kind_of(each) for each in spellings} == {GOOD}


def test_the_nearest_known_name():
    known = ["masks/scratch", "masks/dent"]
    assert nearest("masks/scrach", known) == "masks/scratch"
    assert nearest("masks/Dents", known) == "masks/dent"
    assert nearest("0", known) == ""

import numpy as np
import pytest

from study.figures import sketch


def test_the_drawing_shows_what_the_arm_computes():
    normal, judged = sketch.patches()
    _, found = sketch.rebuilt(normal, judged)
    drawn = np.linalg.norm(found - judged, axis=1)
    assert drawn == pytest.approx(sketch.errors()["combined_plus"], abs=1e-3)


def test_one_code_puts_the_rare_patch_above_the_defect_and_neighbours_below_it():
    errors = sketch.errors()
    assert errors["combined"][0] > 2 * errors["combined"][1]
    assert errors["combined_plus"][0] < 0.1 * errors["combined_plus"][1]


def test_what_is_squeezed_lies_on_one_line():
    normal, judged = sketch.patches()
    points = sketch.squeezed(normal, np.concatenate([judged, normal]))
    values = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    assert values[1] < 1e-9 * values[0]


def test_two_panels_are_drawn():
    assert len(sketch.idea().axes) == 2

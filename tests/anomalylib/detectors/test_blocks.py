import numpy as np
import pytest
import torch

from anomalylib.detectors.blocks import aggregate, as_rows, by_parts, finite, joined
from anomalylib.errors import UserError

RANDOM = np.random.default_rng(0)


def test_aggregate_is_the_mean_of_the_largest_values():
    maps = RANDOM.normal(size=(5, 6, 7))
    expected = [np.sort(m.ravel())[-10:].mean() for m in maps]
    assert aggregate(maps, 10) == pytest.approx(expected)
    assert aggregate(maps, 1) == pytest.approx(maps.max(axis=(1, 2)))
    assert aggregate(maps, 999) == pytest.approx(maps.mean(axis=(1, 2)))


def test_parts_are_put_after_each_other():
    whole = RANDOM.normal(size=(10, 2))
    assert np.array_equal(joined(iter([whole[:4], whole[4:9], whole[9:]]), 10), whole)
    rows = torch.from_numpy(whole)
    assert torch.equal(by_parts(lambda part: part * 2, rows, 3), rows * 2)
    assert by_parts(lambda part: part[:, 0], rows, 0).shape == (10,)


def test_patches_are_rows_of_single_precision():
    features = RANDOM.normal(size=(2, 3, 4, 5)).astype(np.float16)
    assert np.array_equal(as_rows(features).numpy(), features.reshape(24, 5).astype(np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused_by_name(value):
    with pytest.raises(UserError, match=r"the score of image 1 of 3 is (nan|inf|-inf)"):
        finite(np.array([0.0, value, 1.0]), range(3))

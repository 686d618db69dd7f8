import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomalylib.metrics import pixel as pixels


@pytest.fixture
def marked():
    """Maps with ties, and masks of three regions of unequal size."""
    random = np.random.default_rng(0)
    masks = np.zeros((3, 12, 12), dtype=bool)
    masks[0, 1:3, 1:3] = True
    masks[0, 6:11, 5:11] = True
    masks[1, 4, 4] = masks[1, 5, 5] = True  # diagonal neighbours: one region
    maps = (random.random(masks.shape) + 0.6 * masks).round(1).astype(np.float32)
    return maps, masks


def brute_force_pro(maps, masks, limit):
    """Mean overlap and false-positive rate, threshold by threshold, then trapezoids."""
    small = masks[0] & (np.indices((12, 12))[0] < 4)
    regions = [(0, small), (0, masks[0] & ~small), (1, masks[1])]
    points = [(0.0, 0.0)]
    for threshold in sorted(set(maps.ravel()), reverse=True):
        above = maps >= threshold
        overlap = np.mean([above[image][region].mean() for image, region in regions])
        points.append((above[~masks].mean(), overlap))
    area = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x1 <= x0 or x0 >= limit:
            continue
        end = min(x1, limit)
        y_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
        area += (end - x0) * (y0 + y_end) / 2
    return area / limit


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_au_pro_is_the_mean_overlap_of_regions_counted_by_brute_force(marked, limit):
    maps, masks = marked
    assert pixels.au_pro(maps, masks, limit) == pytest.approx(
        brute_force_pro(maps, masks, limit), abs=1e-9
    )


def test_a_small_region_counts_as_much_as_a_large_one(marked):
    _, masks = marked
    found_large = np.zeros(masks.shape, dtype=np.float32)
    found_large[0, 6:11, 5:11] = 1
    assert pixels.au_pro(found_large, masks) == pytest.approx(
        1 / 3 + 2 / 3 * 0.15, abs=1e-6
    )  # the other two regions are reached only by chance, on the way to (1, 1)


def test_a_perfect_map_scores_one(marked):
    _, masks = marked
    assert pixels.au_pro(masks.astype(np.float32), masks) == pytest.approx(1)


def test_pixel_auroc_counts_every_pixel(marked):
    maps, masks = marked
    assert pixels.pixel_auroc(maps, masks) == roc_auc_score(masks.ravel(), maps.ravel())


def test_enlarging_keeps_the_value_of_a_flat_map():
    maps = np.full((2, 3, 3), 1.5, dtype=np.float32)
    assert pixels.enlarge(maps, 12).shape == (2, 12, 12)
    assert np.allclose(pixels.enlarge(maps, 12), 1.5)

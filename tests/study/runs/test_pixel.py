import numpy as np
import pytest
from scipy import stats

from anomalylib.metrics.pixel import au_pro, pixel_auroc
from study.runs.pixel import pixel_intervals


@pytest.fixture(scope="module")
def marked():
    """Maps and masks of 24 images; a mask of one region in eight of them, of two in four."""
    random = np.random.default_rng(0)
    masks = np.zeros((24, 64, 64), bool)
    masks[:12, 10:20, 12:30] = True
    masks[:4, 40:44, 40:50] = True
    easy = random.normal(1, 0.5, (24, 1, 1))
    return random.normal(size=masks.shape).astype(np.float32) + masks * easy, masks


def test_values_are_those_of_the_library(marked):
    found = pixel_intervals(*marked)
    assert found["pixel_auroc"] == pytest.approx(pixel_auroc(*marked), abs=1e-4)
    assert found["aupro"] == pytest.approx(au_pro(*marked), abs=1e-3)


def test_intervals_are_those_of_images_drawn_anew(marked):
    maps, masks = marked
    random, values = np.random.default_rng(1), []
    groups = [np.flatnonzero(masks.any(axis=(1, 2)) == which) for which in (True, False)]
    for _ in range(300):
        chosen = np.concatenate([random.choice(group, len(group)) for group in groups])
        ranks = stats.rankdata(maps[chosen])
        defect = masks[chosen].ravel()
        count = defect.sum()
        placed = ranks[defect].sum() - count * (count + 1) / 2
        values.append(placed / (count * (len(ranks) - count)))
    found = pixel_intervals(maps, masks)
    ends = np.quantile(values, [0.025, 0.975])
    assert [found["pixel_auroc_low"], found["pixel_auroc_high"]] == pytest.approx(ends, abs=0.012)
    assert found["aupro_low"] < found["aupro"] < found["aupro_high"]

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from anomalylib.images.category import load_category
from study.runs.measurement import cell_mask
from study.runs.rarity import EDGES, by_rarity, rarity_of


def test_rarity_is_the_distance_to_the_nearest_of_all_where_there_are_few():
    random = np.random.default_rng(0)
    normal = random.normal(size=(3, 4, 4, 5)).astype(np.float16)  # 48 patches: all are taken
    features = random.normal(size=(9, 4, 4, 5)).astype(np.float16)
    found = rarity_of(features, normal)
    expected = cdist(features.reshape(-1, 5), normal.reshape(-1, 5)).min(axis=1)
    assert found.shape == (9, 4, 4)
    assert found.ravel() == pytest.approx(expected, abs=1e-2)


def test_every_patch_falls_into_the_bin_of_its_rarity(tiny_root):
    category = load_category(tiny_root, "screw")
    side, labels = 8, category.test.labels
    random = np.random.default_rng(1)
    rarity = random.random((len(labels), side, side))
    masks = np.stack([cell_mask(category, index, side) for index in range(len(labels))])
    errors = np.where(masks, 6.0, 2.0) * (1 + rarity)
    rows = by_rarity(rarity, errors, category)
    assert [row["above"] for row in rows if row["kind"] == "normal"] == list(EDGES[:-1])
    normal, unit = rarity[labels == 0], errors[labels == 0].mean()
    for row, upper in zip(rows[: len(EDGES) - 1], EDGES[1:], strict=True):
        low, high = np.quantile(normal, [row["above"], upper])
        own = errors[labels == 0][(normal >= low) & (normal <= high)]
        assert row["error"] == pytest.approx(own.mean() / unit, rel=0.02)
        assert abs(row["patches"] - len(own)) <= 1
    defects = [row for row in rows if row["kind"] == "defect"]
    assert sum(row["patches"] for row in defects) == masks.sum() > 0
    total = sum(row["patches"] * row["error"] for row in defects if row["patches"])
    assert total == pytest.approx(errors[masks].sum() / unit)

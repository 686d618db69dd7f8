from dataclasses import replace

import numpy as np
import pytest

from anomalylib.detectors.pooled import Pooled
from anomalylib.errors import UserError
from anomalylib.images.category import ImageSet, load_category
from study.runs import learning_curve as curve
from study.settings import make_settings


@pytest.fixture
def category(tiny_root, tmp_path, monkeypatch):
    monkeypatch.setattr(curve, "FEATURES", tmp_path)
    return load_category(tiny_root, "metal_nut")


def test_what_lies_above_the_threshold_is_counted():
    row = curve.figures(1.0, [0.5, 0.6], [0.9, 1.1, 2, 1], [0.5, 1.5, 1.2, 0.4, 3], [0, 0, 1, 1, 1])
    assert (row["images"], row["train_images"], row["threshold"]) == (2, 6, 1.0)
    assert (row["n_unlearned"], row["unlearned_alarms"]) == (4, 2)
    assert (row["n_normal"], row["false_alarms"]) == (2, 1)
    assert (row["n_anomalous"], row["hits"]) == (3, 2)
    assert row["auroc"] == pytest.approx(3 / 6)


def test_sizes_that_a_category_does_not_have_give_way_to_all():
    assert curve.sizes_up_to(120, [200, 10, 100, 10]) == [10, 100, 120]
    assert curve.sizes_up_to(10, [10, 20]) == [10]


def test_a_curve_has_a_row_a_size_and_seed(category, extractor):
    given = {"sizes": "3,99", "repeats": 2, "seed": 5, "model": "resnet", "sigma": 0.0}
    table = curve.follow(extractor, category, make_settings("learning_curve", given))
    assert table[["seed", "images"]].values.tolist() == [[5, 3], [5, 6], [6, 3], [6, 6]]
    assert table.n_unlearned.tolist() == [3, 0, 3, 0]
    chosen = sorted(np.random.default_rng(6).permutation(6)[:3])
    alone = Pooled(extractor, sigma=0.0).fit([category.train[i] for i in chosen])
    assert table.threshold[2] == pytest.approx(alone.threshold_)
    others = [category.train[i] for i in sorted(set(range(6)) - set(chosen))]
    assert table.unlearned_alarms[2] == alone.predict(others).sum()
    assert table.hits[2] == alone.predict(category.test)[category.test.labels == 1].sum()


def test_a_category_without_defects_has_a_curve_too(category, extractor):
    good = [path for path in category.test.paths if path.parent.name == "good"]
    test = ImageSet(category.test.folder, tuple(good), ("good",) * len(good), (None,) * len(good))
    settings = make_settings("learning_curve", {"sizes": "3", "repeats": 1, "model": "resnet"})
    table = curve.follow(extractor, replace(category, test=test), settings)
    assert table.auroc.isna().all() and table.n_anomalous.tolist() == [0, 0]
    assert table.n_normal.tolist() == [3, 3] and table.n_unlearned.tolist() == [3, 0]
    assert np.isfinite(table.threshold).all()


@pytest.mark.parametrize("sizes", ["", "10,", "1", "10;20", "0,5"])
def test_sizes_are_whole_numbers_of_two_or_more(sizes):
    with pytest.raises(UserError, match="sizes="):
        make_settings("learning_curve", {"sizes": sizes})

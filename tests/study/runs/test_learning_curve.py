from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled
from anomalylib.errors import UserError
from anomalylib.images.category import ImageSet, load_category
from study.runs import learning_curve as curve
from study.settings import make_settings


@pytest.fixture
def category(tiny_root):
    return load_category(tiny_root, "metal_nut")


def judged(scores, labels, unlearned=(), threshold=1.0):
    found = [np.array(values, dtype=float) for values in ([0.5, 0.6], unlearned, scores)]
    return curve.Judged(threshold, *found, np.array(labels))


def test_the_subsets_of_a_seed_are_nested_and_nothing_is_lost(category):
    kept = [curve.divide(category.train, images, seed=3) for images in (2, 4, 5)]
    for learned, unlearned in kept:
        both = [*learned.chosen, *unlearned.chosen]
        assert sorted(both) == list(range(6))
        assert list(learned.chosen) == sorted(learned.chosen)
    chosen = [set(learned.chosen.tolist()) for learned, _ in kept]
    assert chosen[0] < chosen[1] < chosen[2]
    others = {tuple(curve.divide(category.train, 2, seed)[0].chosen) for seed in range(9)}
    assert len(others) > 1


def test_all_images_are_the_set_itself_and_more_are_not_to_be_had(category):
    learned, unlearned = curve.divide(category.train, 6, seed=0)
    assert learned is category.train and len(unlearned) == 0
    with pytest.raises(UserError, match="7 of 6 training images"):
        curve.divide(category.train, 7, seed=0)


def test_a_row_counts_what_lies_above_the_threshold():
    row = judged([0.5, 1.5, 1.2, 0.4, 3], [0, 0, 1, 1, 1], unlearned=[0.9, 1.1, 2, 1]).row()
    assert (row["images"], row["train_images"], row["threshold"]) == (2, 6, 1.0)
    assert (row["n_unlearned"], row["unlearned_alarms"]) == (4, 2)
    assert (row["n_normal"], row["false_alarms"]) == (2, 1)
    assert (row["n_anomalous"], row["hits"]) == (3, 2)
    assert row["auroc"] == pytest.approx(3 / 6)


def test_without_anomalous_images_there_is_no_auroc():
    row = judged([0.5, 1.5], [0, 0]).row()
    assert np.isnan(row["auroc"]) and (row["false_alarms"], row["n_anomalous"]) == (1, 0)


def test_with_all_images_an_arm_judges_as_it_does_alone(category, extractor):
    found = curve.judge(PatchCore(extractor, coreset=0.1, keep=False), category, 6, seed=0)
    alone = PatchCore(extractor, coreset=0.1, keep=False).fit(category.train)
    assert found.scores.tolist() == alone.score_samples(category.test).tolist()
    assert found.threshold == alone.threshold_
    assert found.nominal_scores.tolist() == alone.nominal_scores_.tolist()
    assert len(found.unlearned_scores) == 0


def test_what_is_not_learned_from_is_judged_as_new(category, extractor):
    found = curve.judge(Pooled(extractor, keep=False), category, 4, seed=1)
    assert (len(found.nominal_scores), len(found.unlearned_scores)) == (4, 2)
    assert min(found.unlearned_scores) > 0  # distance 0 would mean that it is in the bank
    order = np.random.default_rng(1).permutation(6)
    own = [category.train[i] for i in sorted(order[:4])]
    alone = Pooled(extractor).fit(own)
    left = alone.score_samples([category.train[i] for i in sorted(order[4:])])
    assert found.unlearned_scores == pytest.approx(left, rel=1e-5)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_images_that_give_no_threshold_are_said(category, extractor):
    detector = PatchCore(extractor, coreset=0.001, keep=False)  # a bank of one patch
    with pytest.raises(UserError, match=r"no number to judge by.*more images"):
        curve.judge(detector, category, 2, seed=0)


def test_sizes_that_a_category_does_not_have_give_way_to_all():
    assert curve.sizes_up_to(120, [200, 10, 100, 10]) == [10, 100, 120]
    assert curve.sizes_up_to(10, [10, 20]) == [10]


def test_a_curve_has_a_row_a_size_and_seed_and_is_read_back(category, extractor, tmp_path):
    given = {"sizes": "3,99", "repeats": 2, "seed": 5, "arm": "resnet", "sigma": 0.0}
    table = curve.follow(extractor, category, make_settings("learning_curve", given))
    assert table[["seed", "images"]].values.tolist() == [[5, 3], [5, 6], [6, 3], [6, 6]]
    assert set(table.category) == {"metal_nut"} and set(table.arm) == {"resnet"}
    one = curve.judge(Pooled(extractor, seed=6, sigma=0.0), category, 3, seed=6).row()
    assert table.iloc[2].threshold == one["threshold"] and table.iloc[2].auroc == one["auroc"]
    curve.write(table, tmp_path / "new" / "curve.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new" / "curve.csv"), table, rtol=1e-8)


def test_a_category_without_defects_has_a_curve_too(category, extractor):
    good = [path for path in category.test.paths if path.parent.name == "good"]
    test = ImageSet(category.test.folder, tuple(good), ("good",) * len(good), (None,) * len(good))
    settings = make_settings("learning_curve", {"sizes": "3", "repeats": 1, "arm": "resnet"})
    table = curve.follow(extractor, replace(category, test=test), settings)
    assert table.auroc.isna().all() and table.n_anomalous.tolist() == [0, 0]
    assert table.n_normal.tolist() == [3, 3] and table.n_unlearned.tolist() == [3, 0]
    assert np.isfinite(table.threshold).all()


@pytest.mark.parametrize("sizes", ["", "10,", "1", "10;20", "0,5"])
def test_sizes_are_whole_numbers_of_two_or_more(sizes):
    with pytest.raises(UserError, match="sizes="):
        make_settings("learning_curve", {"sizes": sizes})
    assert make_settings("learning_curve", {"sizes": 50}).asked == [50]  # as YAML reads it

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from study.tables import comparisons
from study.tables.reference import scores_of

LABELS = np.array([0] * 20 + [1] * 30)
IMAGES = [f"test/good/{i}.png" for i in range(20)] + [f"test/bent/{i}.png" for i in range(30)]


def rows(category, model, strength, variant="plain", backbone="small", seeds=(0, 1)):
    random = np.random.default_rng(len(model))
    frames = []
    for seed in seeds:
        own = {"category": category, "variant": variant, "model": model, "backbone": backbone}
        own |= {"seed": seed, "image": IMAGES, "label": LABELS}
        own["defect_type"] = ["good"] * 20 + ["bent"] * 15 + ["flip"] * 15
        frames.append(
            pd.DataFrame(own | {"score_top10": random.normal(size=50) + strength * LABELS})
        )
    return pd.concat(frames)


@pytest.fixture
def scores():
    """Models that separate `nut` well and `screw` in another order."""
    return pd.concat(
        [
            rows("nut", "autoencoder", -0.6, backbone=""),
            rows("nut", "resnet", 1.5),
            rows("nut", "combined", 5),
            rows("nut", "patchcore", 5),
            rows("screw", "autoencoder", 2.5, backbone=""),
            rows("screw", "resnet", 1.0),
            rows("screw", "combined", 0.5),
            rows("screw", "patchcore", 2),
            rows("nut", "resnet", 0.2, variant="untrained", seeds=(1,)),
        ]
    )


def test_models_are_compared_on_the_same_images(scores):
    first = {"category": "nut", "model": "resnet"}
    second = {"category": "nut", "model": "autoencoder"}
    found = comparisons.compare(scores, first, second)
    means = []
    for which in (first, second):
        own = scores[(scores.model == which["model"]) & (scores.category == "nut")]
        own = own[own.variant == "plain"]
        means.append(
            np.mean([roc_auc_score(s.label, s.score_top10) for _, s in own.groupby("seed")])
        )
    assert found.difference == pytest.approx(means[0] - means[1])
    assert found.low < found.difference < found.high
    assert found.p < 0.001


def test_every_model_meets_the_one_before_it(scores):
    pairs = comparisons.between_models(scores, "small")
    assert len(pairs) == 6
    assert pairs["first"].tolist()[:3] == ["resnet", "combined", "patchcore"]
    backwards = comparisons.compare(
        scores, {"category": "screw", "model": "resnet"}, {"category": "screw", "model": "combined"}
    )
    row = pairs[(pairs.category == "screw") & (pairs["first"] == "combined")].iloc[0]
    assert row.difference == pytest.approx(-backwards.difference)


def test_a_model_that_was_not_measured_on_a_part_is_left_out_there(scores):
    missing = (scores.category == "nut") & (scores.model == "resnet")
    pairs = comparisons.between_models(scores[~missing], "small")
    own = pairs[pairs.category == "nut"]
    assert list(zip(own["first"], own["second"], strict=True)) == [
        ("combined", "autoencoder"),
        ("patchcore", "combined"),
    ]
    assert len(pairs[pairs.category == "screw"]) == 3
    without = scores[(scores.category != "nut") | (scores.backbone == "")]
    assert set(comparisons.between_models(without, "small").category) == {"screw"}


def test_a_variant_is_compared_with_the_same_seeds(scores):
    (row,) = comparisons.between_variants(scores, "untrained", "small").itertuples()
    plain = scores.query(
        "category == 'nut' and model == 'resnet' and variant == 'plain' and seed == 1"
    )
    assert row.before == pytest.approx(roc_auc_score(plain.label, plain.score_top10))
    assert row.after < row.before


def test_defect_types_are_scored_apart(scores):
    kinds = comparisons.by_defect_type(scores, "small")
    own = scores.query("category == 'nut' and model == 'combined' and seed == 0")
    bent = own[own.defect_type != "flip"]
    other = scores.query("category == 'nut' and model == 'combined' and seed == 1")
    other = other[other.defect_type != "flip"]
    expected = np.mean([roc_auc_score(s.label, s.score_top10) for s in (bent, other)])
    row = kinds.query("category == 'nut' and model == 'combined' and defect_type == 'bent'").iloc[0]
    assert (row.auroc, row.images) == (pytest.approx(expected), 15)


def test_shuffled_labels_give_one_half(scores):
    drawn = comparisons.shuffled(scores, draws=400, category="nut", model="combined")
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.std() == pytest.approx(np.sqrt(51 / (12 * 20 * 30)), rel=0.15)  # Mann and Whitney
    tied = scores.assign(score_top10=scores.score_top10.round(1))
    labels, values = scores_of(tied, category="nut", model="combined")
    random = np.random.default_rng(0)
    expected = [roc_auc_score(random.permutation(labels), values[0]) for _ in range(5)]
    drawn = comparisons.shuffled(tied, draws=5, category="nut", model="combined")
    assert drawn == pytest.approx(expected, rel=1e-12)

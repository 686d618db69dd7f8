from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from anomalylib.errors import UserError
from anomalylib.metrics import intervals
from study.tables import across_parts
from study.tables.across_parts import compare_models, difference_over_parts, mean_over_parts
from tests.study.tables.formulas import by_group, rank_auroc

SEEDS = {"resnet": 3, "combined": 2}


@pytest.fixture
def scores():
    """A long table of two models on four parts of unlike difficulty and size."""
    random = np.random.default_rng(0)
    frames = []
    for place, (part, normal, anomalous) in enumerate([("nut", 12, 20), ("screw", 15, 18)] * 2):
        labels = np.repeat([0, 1], [normal, anomalous])
        shared = random.normal(size=len(labels)).round(1)  # the two score the same images
        for model, seeds in SEEDS.items():
            for seed in range(seeds):
                gap = 0.3 + place / 2 + (model == "combined") / 2
                own = shared + gap * labels + random.normal(scale=0.4, size=len(labels)).round(1)
                frame = {"category": f"{part}{place}", "model": model, "seed": seed}
                frame |= {"image": [f"{at:03d}.png" for at in range(len(labels))]}
                frames.append(pd.DataFrame(frame | {"label": labels, "score": own}))
    return pd.concat(frames)


def parts_of(scores, model):
    own = by_group(scores[scores.model == model], ["category"], "score")
    return {key[0]: (labels, rows) for key, labels, rows in own}


def with_loops(parts, draws, random):
    """Means over parts, draw by draw; parts hold models that share images, first less second."""
    means = []
    for _ in range(draws):
        found = []
        for place in random.integers(len(parts), size=len(parts)):
            labels, *models = parts[place]
            normal, anomalous = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
            images = np.append(
                random.choice(normal, len(normal)), random.choice(anomalous, len(anomalous))
            )
            aurocs = [
                rank_auroc(
                    labels[images], rows[random.integers(len(rows), size=len(rows))][:, images]
                )
                for rows in models
            ]
            found.append(aurocs[0].mean() - sum(other.mean() for other in aurocs[1:]))
        means.append(np.mean(found))
    return np.array(means)


def test_the_mean_is_over_seeds_and_then_over_parts(scores):
    parts = parts_of(scores, "resnet")
    expected = np.mean([rank_auroc(labels, rows).mean() for labels, rows in parts.values()])
    found = mean_over_parts(parts)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.low < found.value < found.high
    assert found == mean_over_parts(parts)  # one seed, one interval
    assert found != mean_over_parts(parts, seed=1)


def test_the_interval_draws_parts_then_seeds_then_images(scores):
    parts = parts_of(scores, "resnet")
    own = with_loops(list(parts.values()), 1500, np.random.default_rng(5))
    found = mean_over_parts(parts)
    assert found[1:] == pytest.approx(np.quantile(own, [0.025, 0.975]), abs=0.015)


def test_a_difference_shares_parts_and_images(scores):
    first, second = parts_of(scores, "combined"), parts_of(scores, "resnet")
    both = [(labels, rows, second[name][1]) for name, (labels, rows) in first.items()]
    own = with_loops(both, 1500, np.random.default_rng(5))
    found = difference_over_parts(first, second)
    means = mean_over_parts(first), mean_over_parts(second)
    assert found.value == pytest.approx(means[0].value - means[1].value, abs=1e-12)
    assert found[1:] == pytest.approx(np.quantile(own, [0.025, 0.975]), abs=0.015)
    alone = np.hypot(*(each.high - each.low for each in means))
    assert found.high - found.low < 0.7 * alone  # what the two share is not counted
    turned = difference_over_parts(second, first)
    assert turned == pytest.approx((-found.value, -found.high, -found.low), abs=0.015)


def test_one_part_and_seed_has_the_interval_of_its_images(scores):
    labels, rows = parts_of(scores, "resnet")["nut0"]
    found = mean_over_parts({"nut0": (labels, rows[0])})
    expected = intervals.bootstrap(intervals.win_matrix(labels, rows[0]))
    assert found == pytest.approx(expected, abs=0.015)


def test_parts_that_differ_make_the_interval_wide():
    labels = np.repeat([0, 1], 400)
    chance = np.tile(np.arange(400.0), 2)  # AUROC one half
    found = mean_over_parts({"perfect": (labels, labels[None]), "chance": (labels, chance[None])})
    assert found.value == 0.75
    assert found.low == pytest.approx(0.5, abs=0.06) and found.high == 1


def test_seeds_that_differ_make_the_interval_wide():
    labels = np.repeat([0, 1], 20)
    found = mean_over_parts({"part": (labels, np.stack([labels, -labels]))})
    assert found == (0.5, 0, 1)


def test_where_no_draw_differs_there_are_no_ends():
    labels = np.repeat([0, 1], 20)
    perfect = {name: (labels, labels[None]) for name in ("nut", "screw")}
    value, *ends = mean_over_parts(perfect)
    assert value == 1 and np.isnan(ends).all()
    value, *ends = difference_over_parts(perfect, perfect)
    assert value == 0 and np.isnan(ends).all()


def test_with_seven_unlike_parts_the_interval_covers_as_often_as_said():
    random = np.random.default_rng(2)
    labels = np.repeat([0, 1], 30)
    covered = 0
    for _ in range(100):
        gaps = random.normal(1.5, 1.2, size=7)  # AUROCs of 0.5 to 0.99
        parts = {at: (labels, random.normal(size=60) + gap * labels) for at, gap in enumerate(gaps)}
        found = mean_over_parts(parts)
        truth = stats.norm.cdf(1.5 / np.sqrt(2 + 1.2**2))  # the mean over gaps
        covered += found.low <= truth <= found.high
    assert 80 <= covered <= 95


def test_what_cannot_be_averaged_is_an_error(scores):
    first, second = parts_of(scores, "combined"), parts_of(scores, "resnet")
    with pytest.raises(UserError, match="needs a part"):
        mean_over_parts({})
    with pytest.raises(UserError, match="nut: an AUROC needs normal and anomalous images"):
        mean_over_parts({"nut": (np.ones(3), np.ones((1, 3)))})
    with pytest.raises(UserError, match="not scored the same parts"):
        difference_over_parts(first, {"nut0": second["nut0"]})
    labels, rows = second["nut0"]
    with pytest.raises(UserError, match="nut0: the two models have not scored the same images"):
        difference_over_parts(first, second | {"nut0": (labels[1:], rows[:, 1:])})


@pytest.fixture
def auroc():
    """Three models on seven parts, without ties; the last is best on each part."""
    random = np.random.default_rng(3)
    low = random.uniform(0.5, 0.8, size=(7, 2))
    return pd.DataFrame(np.column_stack([low, low.max(axis=1) + 0.1]), columns=["a", "b", "c"])


def test_mean_ranks_begin_with_the_best_and_share_ties():
    table = pd.DataFrame({"a": [0.9, 0.9], "b": [0.9, 0.8], "c": [0.1 + 0.2, 1.0]})
    found = compare_models(table)  # 1.5, 1.5, 3 and 2, 3, 1
    assert found.mean_ranks.to_dict() == {"a": 1.75, "b": 2.25, "c": 2.0}


def test_friedman_and_iman_davenport_by_their_formulas(auroc):
    found = compare_models(auroc)
    ranks = np.array([[1 + (row > own).sum() for own in row] for row in auroc.to_numpy()])
    parts, models = ranks.shape
    squared = (ranks.mean(axis=0) ** 2).sum() - models * (models + 1) ** 2 / 4
    chi = 12 * parts / (models * (models + 1)) * squared
    ratio = (parts - 1) * chi / (parts * (models - 1) - chi)
    assert found.friedman_p == pytest.approx(stats.chi2.sf(chi, models - 1))
    assert found.iman_davenport_p == pytest.approx(stats.f.sf(ratio, 2, 12))
    assert found.mean_ranks.to_numpy() == pytest.approx(ranks.mean(axis=0))


def test_friedman_at_its_ends():
    same = pd.DataFrame(np.tile([[0.5], [0.7]], 3), columns=["a", "b", "c"])
    assert compare_models(same)[1:3] == (1, 1)
    ordered = pd.DataFrame(np.tile([0.5, 0.6, 0.7], (5, 1)), columns=["a", "b", "c"])
    found = compare_models(ordered)
    assert found.friedman_p == pytest.approx(stats.chi2.sf(10, 2))
    assert found.iman_davenport_p == pytest.approx(0, abs=1e-12)
    assert np.isnan(compare_models(ordered[["a", "b"]])[1:3]).all()


def test_pairs_are_counted_and_tested(auroc):
    auroc.loc[6, "b"] = auroc.loc[6, "a"]
    pairs = compare_models(auroc).pairs.set_index(["first", "second"])
    assert pairs.index.tolist() == [("a", "b"), ("a", "c"), ("b", "c")]
    row, difference = pairs.loc[("a", "b")], auroc.a - auroc.b
    assert row.wins == (difference > 0).sum() and row.losses == (difference < 0).sum()
    assert row.ties == 1 and row.wins + row.losses == 6
    assert row.median_difference == pytest.approx(difference.median())
    row = pairs.loc[("a", "c")]
    assert (row.wins, row.losses, row.ties) == (0, 7, 0)
    assert row.p == 2 / 2**7 and row.p_holm == 3 * 2 / 2**7
    assert row.median_difference == pytest.approx((auroc.a - auroc.c).median())


@pytest.mark.parametrize(("models", "least"), [(2, 0.015625), (3, 0.046875), (5, 0.15625)])
def test_what_seven_parts_can_show_at_most(models, least):
    apart = np.arange(7)[:, None] / 1000 + np.arange(models) ** 2 / 50  # no two gaps alike
    found = compare_models(pd.DataFrame(apart * (1 + np.arange(7)[:, None] / 100)))
    assert found.smallest_p == found.pairs.p.min() == 0.015625
    assert found.smallest_p_holm == found.pairs.p_holm.min() == least


def test_what_few_parts_can_show_is_at_most_one():
    found = compare_models(pd.DataFrame({"a": [0.1, 0.2], "b": [0.3, 0.5], "c": [0.4, 0.7]}))
    assert (found.smallest_p, found.smallest_p_holm) == (0.5, 1)


def by_all_signs(differences):
    """P of the signed-rank test from every way to give the differences signs."""
    ranks = stats.rankdata(np.abs(differences)) * (differences != 0)
    observed = abs((np.sign(differences) * ranks).sum())
    sums = [abs(np.dot(signs, ranks)) for signs in product([-1, 1], repeat=len(ranks))]
    return np.mean(np.array(sums) >= observed)


@pytest.mark.parametrize(
    "differences",
    [
        [3, -1, 2, 5, -4, 6, 7],
        [1, 2, 3, 4, 5, 6, 7],
        [-1, -2, -3, -4, -5, -6, -7],
        [1, 1, -1, 2, 2, -3, 3],
        [0, 0, 1, -2, 3, 3, 4],
        [0, 0, 0, 0],
        [0, 0, 1],
        [1, -1],
    ],
)
def test_the_signed_rank_test_counts_all_signs(differences):
    differences = np.array(differences) / 100
    assert across_parts.signed_rank_p(differences) == pytest.approx(by_all_signs(differences))


@pytest.mark.parametrize("parts", [7, 15, 30])
def test_without_ties_the_signed_rank_test_is_scipys(parts):
    differences = np.random.default_rng(parts).normal(0.3, size=parts)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert across_parts.signed_rank_p(differences) == pytest.approx(expected, rel=1e-9)


def test_rounding_makes_no_difference():
    table = pd.DataFrame({"a": [0.1 + 0.2, 0.7], "b": [0.3, 0.7]})
    found = compare_models(table)
    assert found.mean_ranks.tolist() == [1.5, 1.5]
    (row,) = found.pairs.itertuples()
    assert (row.wins, row.losses, row.ties, row.p) == (0, 0, 2, 1)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.4, 0.5, 0.6], [1, 1, 1]),
        ([0.02], [0.02]),
        ([0.01, 0.01, 0.9], [0.03, 0.03, 0.9]),
    ],
)
def test_holms_correction(p, expected):
    assert across_parts.holm(np.array(p)) == pytest.approx(expected)


def test_models_that_cannot_be_compared_are_an_error(auroc):
    for table in (auroc[["a"]], auroc[:1], auroc.assign(a=np.nan)):
        with pytest.raises(UserError, match="two models on two parts"):
            compare_models(table)

"""The committed reference results: every summary figure again, by other formulas."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from anomalylib.metrics import intervals
from study.book.build import SOURCE
from study.names import ARMS, PARTS
from study.runs import sensitivity
from study.runs.curve_runs import SEEDS, SIZES
from study.settings import EVIDENCE, evidence_files
from study.tables import reference as tables
from study.tables.comparisons import verdicts
from study.trials.pasted_defects import KINDS
from study.trials.trials import TRIALS

SCORES = tables.read_table("scores")
NOMINAL = tables.read_table("nominal")
RUNS = tables.read_table("runs")
SUMMARY = tables.read_table("summary")
DECIDED = tables.read_table("thresholds")
NAMES = ["/".join(filter(None, key)) for key in SUMMARY[tables.GROUP].itertuples(index=False)]


def pair_count(labels, scores):
    """AUROC from Mann and Whitney's U."""
    anomalous, normal = scores[labels == 1], scores[labels == 0]
    u = stats.mannwhitneyu(anomalous, normal, method="asymptotic").statistic
    return u / (len(anomalous) * len(normal))


def best_f1(labels, scores):
    """The largest 2 TP / (2 TP + FP + FN) over all thresholds."""
    called = scores[None, :] >= scores[:, None]  # one row a threshold
    hits = (called & (labels == 1)).sum(axis=1)
    return (2 * hits / (called.sum(axis=1) + (labels == 1).sum())).max()


def by_seed(table, row):
    own = table
    for column in tables.GROUP:
        own = own[own[column] == getattr(row, column)]
    return [group for _, group in own.groupby("seed")]


@pytest.mark.parametrize("row", list(SUMMARY.itertuples()), ids=NAMES)
def test_every_figure_of_the_summary_follows_from_the_scores(row):
    seeds = by_seed(SCORES, row)
    found = [pair_count(s.label.to_numpy(), s.score_top10.to_numpy()) for s in seeds]
    assert row.n_seeds == len(seeds)
    assert row.auroc_mean == pytest.approx(np.mean(found), abs=1e-6)
    if len(found) > 1:
        assert row.auroc_sd == pytest.approx(np.std(found, ddof=1), abs=1e-6)
    assert row.ap_mean == pytest.approx(
        np.mean([average_precision_score(s.label, s.score_top10) for s in seeds]), abs=1e-6
    )
    best = [best_f1(s.label.to_numpy(), s.score_top10.to_numpy()) for s in seeds]
    assert row.f1max_mean == pytest.approx(np.mean(best), abs=1e-6)
    runs = by_seed(RUNS, row)
    if runs and not np.isnan(row.aupro_mean):
        assert row.aupro_mean == pytest.approx(pd.concat(runs).aupro.mean(), abs=1e-6)
        assert row.pixel_auroc_mean == pytest.approx(pd.concat(runs).pixel_auroc.mean(), abs=1e-6)


@pytest.mark.parametrize("row", list(SUMMARY.itertuples()), ids=NAMES)
def test_every_interval_follows_from_the_scores(row):
    matrices = []
    for seed in by_seed(SCORES, row):
        images = seed.sort_values("image")
        score, labels = images.score_top10.to_numpy(), images.label.to_numpy()
        matrices.append(
            np.heaviside(np.subtract.outer(score[labels == 1], score[labels == 0]), 0.5)
        )
    wins = np.mean(matrices, axis=0)  # (A, M)
    error = math.sqrt(
        np.var(wins.mean(axis=1), ddof=1) / wins.shape[0]
        + np.var(wins.mean(axis=0), ddof=1) / wins.shape[1]
    )
    low, high = row.auroc_mean - 1.959964 * error, row.auroc_mean + 1.959964 * error
    assert row.auroc_delong_low == pytest.approx(max(low, 0), abs=1e-5)
    assert row.auroc_delong_high == pytest.approx(min(high, 1), abs=1e-5)
    again = intervals.bootstrap(wins)
    assert (row.auroc_ci_low, row.auroc_ci_high) == pytest.approx(again[1:], abs=1e-6)


@pytest.mark.parametrize("row", list(DECIDED.itertuples()), ids=lambda row: f"{row.Index}")
def test_every_decision_follows_from_the_scores(row):
    rule = next(rule for rule in tables.RULES if rule.name == row.threshold_rule)
    which = {"category": row.category, "arm": row.arm, "backbone": row.backbone}
    which["variant"] = rule.variant
    learned = tables.select(NOMINAL, **which)
    judged = tables.select(SCORES, **which)
    alarms, hits = [], []
    for seed, nominal in learned.groupby("seed"):
        score = np.sort(nominal.score.to_numpy())
        if rule.name.startswith("mean"):
            threshold = score.mean() + 3 * score.std()
        elif rule.name.startswith("99"):
            place = 0.99 * (len(score) - 1)
            below = int(place)
            threshold = score[below] + (place - below) * (score[below + 1] - score[below])
        else:
            threshold = score[math.ceil((len(score) + 1) * 0.95) - 1]
        mine = judged[judged.seed == seed]
        called = mine.score_top10 > threshold
        alarms.append((called & (mine.label == 0)).sum())
        hits.append((called & (mine.label == 1)).sum())
    assert row.false_alarms == pytest.approx(np.mean(alarms))
    assert row.hits == pytest.approx(np.mean(hits))
    assert row.fpr == pytest.approx(row.false_alarms / row.n_normal, abs=1e-6)
    assert row.recall == pytest.approx(row.hits / row.n_anomalous, abs=1e-6)
    worse = math.ceil(row.false_alarms)
    bound = stats.beta.ppf(0.95, worse + 1, row.n_normal - worse) if worse < row.n_normal else 1
    assert row.fpr_ci_high == pytest.approx(bound, abs=1e-6)
    worse = math.floor(row.hits)
    bound = stats.beta.ppf(0.05, worse, row.n_anomalous - worse + 1) if worse else 0
    assert row.recall_ci_low == pytest.approx(bound, abs=1e-6)


def test_the_summary_carries_the_original_rule():
    rows = DECIDED[DECIDED.threshold_rule == tables.RULES[0].name]
    plain = SUMMARY[(SUMMARY.variant == "plain") & SUMMARY.arm.isin(ARMS)]
    both = plain.merge(rows, on=["category", "arm", "backbone", "threshold_rule"])
    assert len(both) == len(plain) == len(rows)
    for column in ("fpr", "fpr_ci_high", "recall", "recall_ci_low"):
        assert np.allclose(both[f"{column}_x"], both[f"{column}_y"])


def test_every_arm_has_five_seeds_on_both_parts_with_every_backbone():
    plain = SUMMARY[(SUMMARY.variant == "plain") & SUMMARY.arm.isin(ARMS)]
    counts = plain.groupby(["category", "arm"]).backbone.nunique().unstack()
    assert set(counts.index) == {"metal_nut", "screw"}
    assert counts[["autoencoder", "combined_plus"]].eq(1).all().all()
    assert counts[["resnet", "combined", "patchcore"]].eq(3).all().all()
    assert plain.n_seeds.eq(5).all()


def test_all_rows_judge_the_same_images_and_the_parts_are_complete():
    sizes = {"metal_nut": (22, 93), "screw": (41, 119)}
    for category, rows in SCORES.groupby("category"):
        images = {
            tuple(sorted(zip(g.image, g.label, strict=True)))
            for _, g in rows.groupby([*tables.GROUP[1:], "seed"])
        }
        assert len(images) == 1
        labels = [label for _, label in images.pop()]
        assert (labels.count(0), labels.count(1)) == sizes[category]


def test_a_score_without_randomness_is_the_same_for_every_seed():
    own = SCORES[(SCORES.arm == "resnet") & (SCORES.variant == "plain")]
    spread = own.groupby(["category", "backbone", "image"]).score_top10.agg(np.ptp)
    assert (spread == 0).all()


def test_sensitivity_follows_from_its_scores():
    table = tables.read_table("sensitivity")
    scores = tables.read_table("sensitivity_scores")
    for row in table.itertuples():
        keys = ("category", "arm", "factor")
        own = scores[np.all([scores[k] == getattr(row, k) for k in keys], axis=0)]

        def mean(value, own=own):
            chosen = own[own.value == value]
            found = [
                pair_count(s.label.to_numpy(), s.score_top10.to_numpy())
                for _, s in chosen.groupby("seed")
            ]
            return np.mean(found)

        assert row.auroc == pytest.approx(mean(row.value), abs=1e-6)
        usual = sensitivity.USUAL[row.factor]
        assert row.usual == (row.value == usual)
        assert row.change == pytest.approx(row.auroc - mean(usual), abs=1e-6)


def test_the_usual_values_are_the_reference_runs():
    scores = tables.read_table("sensitivity_scores")
    usual = scores[(scores.factor == "pooling") & (scores.value == "unpadded")]
    plain = SCORES[(SCORES.variant == "plain") & (SCORES.backbone == "resnet50")]
    both = usual.merge(plain, on=["category", "arm", "seed", "image"])
    assert len(both) == len(usual) > 0
    assert (both.score_top10_x == both.score_top10_y).all()


def test_the_provenance_names_what_was_used():
    said = json.loads((tables.REFERENCE / "provenance.json").read_text())
    assert set(said["data"]) == {"metal_nut", "screw"}
    assert set(said["backbones"]) == set(SUMMARY.backbone) - {""}
    assert said["runs"] == len(RUNS)
    assert "/" not in "".join(found["path"] for found in said["backbones"].values())


def test_every_published_number_has_its_reference():
    table = tables.read_table("literature")
    known = (SOURCE / "references.bib").read_text()
    for key in table.key:
        assert f"{{{key}," in known, key
    assert table.screw.between(0, 1).all() and table.metal_nut.between(0, 1).all()
    assert table.source.str.len().gt(0).all()


def test_the_chapter_on_the_claims_says_what_other_backbones_move():
    def held(backbone):
        found = verdicts(SCORES, SUMMARY, backbone)
        return dict(zip(found.claim, found.verdict, strict=True))

    main = held("resnet50")
    _, better, _, combined, threshold = main
    for backbone in ("resnet50-v2", "efficientnet_lite0"):
        other = held(backbone)
        assert {claim for claim in main if main[claim] != other[claim]} == {
            better,
            combined,
            threshold,
        }
        assert (main[combined], other[better]) == ("holds", "holds")
        assert other[combined] == other[threshold] == "holds in part: on metal nut"


def test_every_table_that_a_chapter_reads_is_there():
    for chapter in EVIDENCE:
        missing = [n for n in evidence_files(chapter) if not (tables.REFERENCE / n).is_file()]
        assert not missing, chapter


def test_every_trial_is_there_on_both_parts():
    found = tables.read_table("trials")
    names = [(trial.family, trial.name, trial.image_size) for trial in TRIALS]
    for part in PARTS:
        own = found[found.category == part]
        assert list(zip(own.family, own.trial, own.image_size, strict=True)) == names
    assert found[[*KINDS]].mean(axis=1).to_numpy() == pytest.approx(found.pasted.to_numpy())
    assert found[["pasted", "plain", "grey_matched"]].to_numpy().min() > 0.5


def test_rarity_is_counted_over_all_patches_of_the_good_test_images():
    found = tables.read_table("rarity")
    normal = found[found.kind == "normal"]
    for (part, size), own in normal.groupby(["category", "image_size"]):
        counted = own.groupby(["family", "trial"]).patches.sum()
        good = SCORES[(SCORES.category == part) & (SCORES.label == 0)].image.nunique()
        assert (counted == good * (size // 8) ** 2).all()
        mean = own.groupby(["family", "trial"]).apply(
            lambda rows: np.average(rows.error, weights=rows.patches), include_groups=False
        )
        assert mean.to_numpy() == pytest.approx(1, abs=1e-4)


def test_with_all_images_the_learning_curve_is_the_reference_run():
    found = tables.read_table("learning_curve")
    whole = found[found.images == found.train_images]
    for row in whole.itertuples():
        which = {"category": row.category, "arm": row.arm, "backbone": row.backbone}
        which |= {"variant": "plain", "seed": row.seed}
        score = tables.select(NOMINAL, **which).score.to_numpy()
        judged = tables.select(SCORES, **which)
        assert len(score) == row.images
        assert row.threshold == pytest.approx(score.mean() + 3 * score.std(), rel=1e-5)
        expected = pair_count(judged.label.to_numpy(), judged.score_top10.to_numpy())
        assert row.auroc == pytest.approx(expected, abs=1e-8)
        called = judged.score_top10 > row.threshold
        assert row.false_alarms == (called & (judged.label == 0)).sum()
        assert row.hits == (called & (judged.label == 1)).sum()


def test_the_learning_curve_has_every_size_and_seed_once():
    found = tables.read_table("learning_curve")
    assert (found.images + found.n_unlearned == found.train_images).all()
    for (_, arm), own in found.groupby(["category", "arm"]):
        sizes = [*SIZES, own.train_images.iloc[0]]
        pairs = sorted(zip(own.images, own.seed, strict=True))
        assert pairs == [(size, seed) for size in sizes for seed in range(SEEDS[arm])]
    assert set(found.category) == set(PARTS) and set(found.arm) == set(SEEDS)


def test_equal_steps_are_of_the_same_images_in_more_passes():
    found = tables.read_table("equal_steps")
    usual = tables.select(tables.read_table("learning_curve"), arm="combined")
    usual = usual[usual.images < usual.train_images]
    same = ["category", "arm", "backbone", "seed", "images", "train_images", "n_unlearned"]
    assert (found[same].to_numpy() == usual[same].to_numpy()).all()
    steps = found.epochs * found.images / found.train_images  # in passes over all
    assert steps.between(4 * 0.9, 4 * 1.1).all()
    alike = found[found.epochs == 4].merge(usual, on=same, suffixes=("", "_usual"))
    assert len(alike) and (alike.threshold == alike.threshold_usual).all()

"""The committed reference results: every summary figure again, by formulas of this module."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.book.build import SOURCE
from study.book.notebooks import chapters, tables_read
from study.names import CONTROL, LARGER, MAIN, MEASURED, MODELS
from study.runs import reference
from study.settings import make_settings
from study.tables import reference as tables
from tests.study.tables.formulas import by_group, rank_auroc, threshold

SCORES = tables.read_table("scores")
NOMINAL = tables.read_table("nominal")
RUNS = tables.read_table("runs")
SUMMARY = tables.read_table("summary")
DECIDED = tables.read_table("thresholds")
MODEL = ["category", "model", "backbone"]
SIZES = {"bottle": (20, 63), "capsule": (23, 109), "grid": (21, 57), "metal_nut": (22, 93)}
SIZES |= {"pill": (26, 141), "screw": (41, 119), "transistor": (60, 40)}
"""Normal and anomalous test images of each part, as published."""
TRAINED = {"bottle": 209, "capsule": 219, "grid": 264, "metal_nut": 220}
TRAINED |= {"pill": 267, "screw": 320, "transistor": 213}
RESAMPLES = 20_000
"""Ten times as many as the intervals were made with, so that most of the error is theirs."""


def precision_and_f1(labels, scores):
    """Average precision and the largest F1 of one row of scores, every score a threshold."""
    called = scores[None, :] >= scores[:, None]  # one row a threshold
    hits, alarms = (called & (labels == 1)).sum(axis=1), called.sum(axis=1)
    f1 = 2 * hits / (alarms + labels.sum())
    return (hits / alarms)[labels == 1].mean(), f1.max()


def placements(labels, scores):
    """For each image the share of the other class that it stands right to, by ranks."""
    ranks, place = stats.rankdata(scores, axis=1), np.empty(scores.shape)
    for label in (0, 1):
        of, others = labels == label, (labels != label).sum()
        place[:, of] = (ranks[:, of] - stats.rankdata(scores[:, of], axis=1)) / others
    place = place.mean(axis=0)
    return place[labels == 1], 1 - place[labels == 0]


def resampled(labels, scores, draws):
    """AUROC, mean over seeds, of images drawn anew: one for each row of `draws`."""
    anomalous, normal = scores[:, labels == 1, None], scores[:, None, labels == 0]
    wins = ((anomalous > normal) + (anomalous == normal) / 2).mean(axis=0)  # (A, M)
    return np.einsum("ra,ra->r", draws[1] @ wins.T, draws[0]) / wins.size


def disagreeing(committed, again, keys, tolerance=1e-6):
    """Rows and columns in which a committed table differs from one that is computed here."""
    both = committed.merge(again, on=keys, how="outer", suffixes=("", "_again"), indicator=True)
    wrong = [f"{tuple(row)}: no pair" for row in both[both._merge != "both"][keys].to_numpy()]
    for column in again.columns.drop(keys):
        far = ~np.isclose(
            both[column], both[f"{column}_again"], rtol=0, atol=tolerance, equal_nan=True
        )
        wrong += [f"{tuple(row)}: {column}" for row in both[far][keys].to_numpy()]
    return wrong


def test_every_figure_of_the_summary_follows_from_the_scores():
    rows = []
    for key, labels, scores in by_group(SCORES, tables.GROUP, "score_top10"):
        auroc = rank_auroc(labels, scores)
        others = np.mean([precision_and_f1(labels, each) for each in scores], axis=0)
        row = dict(zip(tables.GROUP, key, strict=True)) | {"n_seeds": len(scores)}
        row |= {"auroc_mean": auroc.mean(), "ap_mean": others[0], "f1max_mean": others[1]}
        rows.append(row | {"auroc_sd": auroc.std(ddof=1) if len(auroc) > 1 else np.nan})
    assert disagreeing(SUMMARY, pd.DataFrame(rows), tables.GROUP) == []


def test_figures_of_pixels_are_means_of_the_runs():
    means = RUNS.groupby(tables.GROUP)[["pixel_auroc", "aupro"]].mean().add_suffix("_mean")
    measured = SUMMARY.merge(RUNS[tables.GROUP].drop_duplicates())
    assert disagreeing(measured, means.reset_index(), tables.GROUP) == []
    assert SUMMARY.aupro_mean.notna().sum() == means.aupro_mean.notna().sum() > 0


def test_every_interval_of_delong_follows_from_its_definition():
    rows = []
    for key, labels, scores in by_group(SCORES, tables.GROUP, "score_top10"):
        anomalous, normal = placements(labels, scores)
        assert anomalous.mean() == pytest.approx(normal.mean())
        error = math.sqrt(
            np.var(anomalous, ddof=1) / len(anomalous) + np.var(normal, ddof=1) / len(normal)
        )
        half = 1.959963985 * error if error else math.nan
        row = dict(zip(tables.GROUP, key, strict=True))
        row["auroc_delong_low"] = np.maximum(anomalous.mean() - half, 0)
        rows.append(row | {"auroc_delong_high": np.minimum(anomalous.mean() + half, 1)})
    assert disagreeing(SUMMARY, pd.DataFrame(rows), tables.GROUP) == []


def test_every_bootstrap_interval_is_that_of_other_draws():
    random = np.random.default_rng(1)
    draws, far = {}, []
    committed = SUMMARY.set_index(tables.GROUP)[["auroc_ci_low", "auroc_ci_high"]]
    for key, labels, scores in by_group(SCORES, tables.GROUP, "score_top10"):
        if key[0] not in draws:
            counts = [int((labels == label).sum()) for label in (0, 1)]
            draws[key[0]] = [
                random.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(float) for n in counts
            ]
        normal, anomalous = draws[key[0]]
        means = resampled(labels, scores, (anomalous, normal))
        if means.min() == means.max() == 1:  # perfect, whichever images are drawn
            truths = np.linspace(0.5, 1, 500_001)[:-1]
            spread = 1 + (len(labels) / 2 - 1) * (
                (1 - truths) / (2 - truths) + truths / (1 + truths)
            )
            pairs = (labels == 0).sum() * (labels == 1).sum()
            allowed = (1 - truths) / truths <= 1.959963985**2 * spread / pairs  # Newcombe, 5
            assert committed.loc[key].tolist() == pytest.approx([truths[allowed][0], 1], abs=2e-6)
            continue
        ends = np.quantile(means, (0.025, 0.975))
        # 2,000 draws know an end to 0.06 deviations: five times that, for all 124 to pass
        if (abs(committed.loc[key] - ends) > 0.3 * means.std() + 1e-9).any():
            far.append((*key, *ends))
    assert far == []


def test_every_interval_over_seeds_and_images_is_that_of_other_draws():
    random, far, several = np.random.default_rng(2), [], 0
    ends_of = ["auroc_both_low", "auroc_both_high"]
    committed = SUMMARY.set_index(tables.GROUP)
    for key, labels, scores in by_group(SCORES, tables.GROUP, "score_top10"):
        found = committed.loc[key, ends_of].to_numpy(float)
        images = committed.loc[key, ["auroc_ci_low", "auroc_ci_high"]].to_numpy(float)
        aurocs = rank_auroc(labels, scores)
        if len(scores) == 1 or (aurocs == 1).all():
            assert (found == images).all(), key
            continue
        several += 1
        counts = [int((labels == label).sum()) for label in (0, 1)]
        normal, anomalous = (
            random.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(float) for n in counts
        )
        of_seeds = np.stack(
            [resampled(labels, each[None], (anomalous, normal)) for each in scores]
        )  # (S, R)
        shares = random.multinomial(len(scores), np.full(len(scores), 1 / len(scores)), RESAMPLES)
        means = (of_seeds * shares.T).sum(axis=0) / len(scores)
        if (abs(found - np.quantile(means, (0.025, 0.975))) > 0.3 * means.std() + 1e-9).any():
            far.append(key)
    assert far == [] and several > 20


def test_every_decision_follows_from_the_scores():
    scored = {key: rest for key, *rest in by_group(SCORES, tables.GROUP, "score_top10")}
    learned = dict(list(NOMINAL.sort_values("seed").groupby([*tables.GROUP, "images"])))
    rows = []
    for row in DECIDED.itertuples():
        rule = next(rule for rule in tables.RULES if rule.name == row.threshold_rule)
        key = (row.category, rule.variant, row.model, row.backbone)
        labels, scores = scored[key]
        nominal = learned[*key, rule.images].groupby("seed").score
        thresholds = np.array([threshold(rule.name, each.to_numpy()) for _, each in nominal])
        called = scores > thresholds[:, None]  # (S, N)
        counted = [called[:, labels == label].sum(axis=1) for label in (0, 1)]  # by seed
        normal, anomalous = (labels == 0).sum(), (labels == 1).sum()
        most, least = counted[0].max(), counted[1].min()  # of the seed that does worst
        alarms, hits = (each.mean() for each in counted)
        rows.append(
            {"category": row.category, "model": row.model, "backbone": row.backbone}
            | {"threshold_rule": rule.name, "threshold": thresholds.mean()}
            | {"n_normal": normal, "false_alarms": alarms, "fpr": alarms / normal}
            | {"n_anomalous": anomalous, "hits": hits, "recall": hits / anomalous}
            | {"false_alarms_least": counted[0].min(), "false_alarms_most": most}
            | {"hits_least": least, "hits_most": counted[1].max()}
            | {"fpr_ci_high": stats.beta.ppf(0.95, most + 1, normal - most) if most < normal else 1}
            | {"recall_ci_low": stats.beta.ppf(0.05, least, anomalous - least + 1) if least else 0}
        )
    again = pd.DataFrame(rows)
    assert (
        disagreeing(
            DECIDED.drop(columns="threshold"),
            again.drop(columns="threshold"),
            [*MODEL, "threshold_rule"],
        )
        == []
    )
    assert again.threshold.to_numpy() == pytest.approx(DECIDED.threshold.to_numpy(), rel=1e-5)


def test_the_summary_carries_the_original_rule():
    rows = DECIDED[DECIDED.threshold_rule == tables.RULES[0].name]
    plain = SUMMARY[(SUMMARY.variant == "plain") & SUMMARY.model.isin(MEASURED)]
    both = plain.merge(rows, on=["category", "model", "backbone", "threshold_rule"])
    assert len(both) == len(plain) == len(rows)
    for column in ("fpr", "fpr_ci_high", "recall", "recall_ci_low"):
        assert np.allclose(both[f"{column}_x"], both[f"{column}_y"])


def test_every_model_is_measured_on_every_part_with_the_main_backbone():
    plain = SUMMARY[SUMMARY.variant == "plain"]
    for category, rows in plain.groupby("category"):
        assert set(MEASURED) <= set(rows.model[rows.backbone.isin(["", MAIN])]), category
        assert set(rows.model[rows.backbone == ""]) == {"autoencoder", *tables.CONTROLS}
    larger = SUMMARY[SUMMARY.variant == LARGER]
    assert set(larger.category[larger.backbone == MAIN]) == set(SIZES)
    for layer in ("layer2", "layer3"):
        alone = SUMMARY[SUMMARY.variant == layer]
        assert set(alone.model) == {"combined", "patchcore"} and (alone.layers == layer).all()


def test_the_model_of_the_page_on_your_parts_has_the_highest_mean_of_what_can_be_run():
    own = SUMMARY[SUMMARY.backbone.isin(["", MAIN]) & SUMMARY.variant.isin(["plain", LARGER])]
    means = own[own.model.isin(MODELS)].groupby(["model", "variant"]).auroc_mean.mean()
    assert means.idxmax() == ("patchcore", LARGER)


def test_the_settings_are_those_that_were_frozen():
    said = tables.read_provenance()
    assert said["settings_frozen_at"] == reference.FROZEN
    assert set(said["settings"]) == set(MEASURED)
    for model in MODELS:
        settings = said["settings"][model]
        usual = make_settings(model, {}).model_dump()
        of_model = {name for name in settings if name in usual} - {"threads"}
        assert len(of_model) > 2
        assert all(settings[name] == usual[name] for name in of_model), model


def test_all_rows_judge_the_same_images_and_the_parts_are_complete():
    for category, rows in SCORES.groupby("category"):
        images = {
            tuple(sorted(zip(g.image, g.label, strict=True)))
            for _, g in rows.groupby([*tables.GROUP[1:], "seed"])
        }
        assert len(images) == 1
        labels = [label for _, label in images.pop()]
        assert (labels.count(0), labels.count(1)) == SIZES[category]
    assert set(SCORES.category) == set(SIZES)


def test_the_light_is_that_of_the_same_images():
    lit = tables.read_table("light")
    grey = SCORES[(SCORES.model == CONTROL) & (SCORES.variant == "plain")]
    both = lit[lit.split == "test"].merge(grey, on=["category", "image"])
    assert len(both) == len(grey) == (lit.split == "test").sum()
    assert both.mean_grey.to_numpy() == pytest.approx(both.score_top10.to_numpy(), abs=1e-6)
    assert lit[lit.split == "train"].groupby("category").size().to_dict() == TRAINED


def test_a_score_without_randomness_is_the_same_for_every_seed():
    own = SCORES[(SCORES.model == "resnet") & (SCORES.variant == "plain")]
    spread = own.groupby(["category", "backbone", "image"]).score_top10.agg(np.ptp)
    assert (spread == 0).all()


def test_the_provenance_names_what_was_used():
    said = tables.read_provenance()
    assert set(said["data"]) == set(SIZES)
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


def test_every_table_that_a_chapter_reads_is_there():
    read = {name for chapter in chapters() for name in tables_read(chapter)}
    assert {"scores.csv", "summary.csv"} < read
    assert [name for name in sorted(read) if not (tables.REFERENCE / name).is_file()] == []

"""The committed layers, trials and learning curves, against other runs and by their plan."""

import numpy as np
import pytest
from scipy import stats

from study.names import MAIN, REPORTED
from study.runs import sensitivity
from study.runs.curve_runs import SEEDS, SIZES
from study.runs.layer_runs import LATENT, LAYERS
from study.settings import make_settings
from study.tables import reference as tables
from tests.study.tables.formulas import by_group, rank_auroc, threshold

USUAL = {"weights and layers": "V1 layer2"}  # of the copies
SCORES = tables.read_table("copies/scores")
NOMINAL = tables.read_table("copies/nominal")
MODEL = ["category", "model", "backbone"]
KINDS = ["piece", "scratch", "smear", "bend", "stain"]
"""Of the defects that were pasted in the trials."""
CURVES = SEEDS | {"knn_reconstruction": 3}
"""Models with a learning curve, one of which has left the code."""


def test_every_trial_is_there_on_both_parts():
    found = tables.read_table("copies/trials")
    nut, screw = (found[found.category == part] for part in REPORTED)
    which = ["family", "trial", "image_size"]
    assert (nut[which].to_numpy() == screw[which].to_numpy()).all()
    assert len(nut) + len(screw) == len(found) and not nut.duplicated(which).any()
    assert found[KINDS].mean(axis=1).to_numpy() == pytest.approx(found.pasted.to_numpy())
    assert found[["pasted", "plain", "brightness_normalised"]].to_numpy().min() > 0.5


def test_rarity_is_counted_over_all_patches_of_the_good_test_images():
    found = tables.read_table("copies/rarity")
    normal = found[found.kind == "normal"]
    for (part, size), own in normal.groupby(["category", "image_size"]):
        counted = own.groupby(["family", "trial"]).patches.sum()
        good = SCORES[(SCORES.category == part) & (SCORES.label == 0)].image.nunique()
        assert (counted == good * (size // 8) ** 2).all()
        mean = own.groupby(["family", "trial"]).apply(
            lambda rows: np.average(rows.error, weights=rows.patches), include_groups=False
        )
        assert mean.to_numpy() == pytest.approx(1, abs=1e-4)


def test_every_choice_of_layers_and_code_is_there_on_both_parts():
    found = tables.read_table("layer_scores")
    images = found.groupby(["category", "layers", "latent"]).image.nunique()
    assert images.to_dict() == {
        (part, layers, latent): {"metal_nut": 115, "screw": 160}[part]
        for part in REPORTED
        for layers in LAYERS
        for latent in LATENT
    }


def test_layers_with_the_usual_code_are_the_reference_runs():
    found = tables.read_table("layer_scores")
    latent = make_settings("combined", {}).latent
    runs = tables.select(tables.read_table("scores"), model="combined", backbone=MAIN, seed=0)
    for (part, layers), own in found[found.latent == latent].groupby(["category", "layers"]):
        variant = "plain" if "," in layers else layers
        usual = tables.select(runs, category=part, variant=variant).set_index("image")
        again = own.set_index("image").score_top10
        assert (again == usual.score_top10[again.index]).all()


def test_layers_are_counted_over_all_patches_of_the_good_test_images():
    found, scores = tables.read_tables("layers", "scores")
    sides = {"layer2,layer3": 28, "layer2": 28, "layer3": 14}
    normal = found[found.kind == "normal"]
    for (part, layers, _), own in normal.groupby(["category", "layers", "latent"]):
        good = scores[(scores.category == part) & (scores.label == 0)].image.nunique()
        assert own.patches.sum() == good * sides[layers] ** 2
        assert np.average(own.error, weights=own.patches) == pytest.approx(1, abs=1e-4)


def test_held_out_images_exceed_the_threshold_of_combined_too_often_on_every_part():
    found = tables.read_table("nominal")  # as the first page says
    own = found[(found.model == "combined") & (found.variant == "held-out") & (found.seed == 0)]
    for _, scores in own[own.backbone == MAIN].groupby("category"):
        training, held_out = (scores.score[scores.images == n] for n in ("training", "held-out"))
        alarms = int((held_out > threshold("mean", training.to_numpy())).sum())
        assert stats.binom.sf(alarms - 1, len(held_out), stats.norm.sf(3)) < 0.01
    assert own.category.nunique() == 7


def test_with_all_images_the_learning_curve_is_the_reference_run():
    found = tables.read_table("copies/learning_curve")
    plain = {key: rest for key, *rest in by_group(SCORES, tables.GROUP, "score_top10")}
    learned = NOMINAL[NOMINAL.variant == "plain"].groupby([*MODEL, "seed"]).score
    for row in found[found.images == found.train_images].itertuples():
        labels, scores = plain[row.category, "plain", row.model, row.backbone]
        nominal = learned.get_group((row.category, row.model, row.backbone, row.seed)).to_numpy()
        assert len(nominal) == row.images
        assert row.threshold == pytest.approx(threshold("mean", nominal), rel=1e-5)
        assert row.auroc == pytest.approx(rank_auroc(labels, scores)[row.seed], abs=1e-8)
        called = scores[row.seed] > row.threshold
        assert row.false_alarms == called[labels == 0].sum()
        assert row.hits == called[labels == 1].sum()


def test_the_learning_curve_has_every_size_and_seed_once():
    found = tables.read_table("copies/learning_curve")
    assert (found.images + found.n_unlearned == found.train_images).all()
    for (_, model), own in found.groupby(["category", "model"]):
        sizes = [*SIZES, own.train_images.iloc[0]]
        pairs = sorted(zip(own.images, own.seed, strict=True))
        assert pairs == [(size, seed) for size in sizes for seed in range(CURVES[model])]
    assert set(found.category) == set(REPORTED) and set(found.model) == set(CURVES)


def test_equal_steps_are_of_the_same_images_in_more_passes():
    found = tables.read_table("copies/equal_steps")
    usual = tables.select(tables.read_table("copies/learning_curve"), model="combined")
    usual = usual[usual.images < usual.train_images]
    same = ["category", "model", "backbone", "seed", "images", "train_images", "n_unlearned"]
    assert (found[same].to_numpy() == usual[same].to_numpy()).all()
    steps = found.epochs * found.images / found.train_images  # in passes over all
    assert steps.between(4 * 0.9, 4 * 1.1).all()
    alike = found[found.epochs == 4].merge(usual, on=same, suffixes=("", "_usual"))
    assert len(alike) and (alike.threshold == alike.threshold_usual).all()


def test_sensitivity_follows_from_its_scores():
    table, scores = tables.read_tables("copies/sensitivity", "copies/sensitivity_scores")
    keys = ["category", "model", "factor", "value"]
    groups = by_group(scores, keys, "score_top10")
    found = {key: rank_auroc(labels, values).mean() for key, labels, values in groups}
    assert set(found) == set(table[keys].itertuples(index=False, name=None))
    for row in table.itertuples():
        which = (row.category, row.model, row.factor)
        usual = USUAL.get(row.factor, sensitivity.USUAL[row.factor])
        assert row.auroc == pytest.approx(found[(*which, row.value)], abs=1e-6)
        assert row.usual == (row.value == usual)
        assert row.change == pytest.approx(row.auroc - found[(*which, usual)], abs=1e-6)


def test_the_usual_values_are_the_reference_runs():
    scores, before = tables.read_tables("copies/sensitivity_scores", "copies/scores")
    usual = scores[(scores.factor == "pooling") & (scores.value == "unpadded")]
    plain = before[(before.variant == "plain") & (before.backbone == "resnet50")]
    both = usual.merge(plain, on=["category", "model", "seed", "image"])
    assert len(both) == len(usual) > 0
    assert (both.score_top10_x == both.score_top10_y).all()


def test_the_copies_are_scored_as_their_summary_says():
    scores, summary = tables.read_tables("copies/scores", "copies/summary")
    means = {
        key: rank_auroc(labels, values).mean()
        for key, labels, values in by_group(scores, tables.GROUP, "score_top10")
    }
    for row in summary.itertuples():
        key = (row.category, row.variant, row.model, row.backbone)
        assert row.auroc_mean == pytest.approx(means[key], abs=1e-8)
    assert len(means) == len(summary)

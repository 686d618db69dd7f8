"""What the pages say in words, computed again from the committed tables by other formulas."""

import numpy as np
import pandas as pd
from scipy import stats

from study.names import CLAIMS, CONTROL, LARGER, MAIN, MODELS
from study.tables import reference as tables
from tests.study.book.sources import everything, words
from tests.study.tables.formulas import by_group, rank_auroc, threshold

SCORES = tables.read_table("scores")
NOMINAL = tables.read_table("nominal")
SUMMARY = tables.read_table("summary")
LIT = tables.read_table("light")
PARTS = sorted(set(SCORES.category))


def scored(part, model, variant="plain", seed=0):
    """Labels and scores (N,) of one run."""
    backbone = "" if model in ("autoencoder", *tables.CONTROLS) else MAIN
    which = {"category": part, "model": model, "variant": variant, "backbone": backbone}
    rows = tables.select(SCORES, seed=seed, **which).sort_values("image")
    return rows.label.to_numpy(), rows.score_top10.to_numpy()


def difference(part, first, second, variant="plain"):
    """The middle 95 % of the difference of two AUROCs of seed 0 over images drawn anew."""
    labels, one = scored(part, first, variant)
    _, other = scored(part, second, variant)
    random = np.random.default_rng(3)
    normal, anomalous = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    drawn = []
    for _ in range(1500):
        chosen = [random.choice(group, len(group)) for group in (normal, anomalous)]
        rows = np.concatenate(chosen)
        aurocs = rank_auroc(labels[rows], np.stack([one[rows], other[rows]]))
        drawn.append(aurocs[0] - aurocs[1])
    return np.quantile(drawn, [0.025, 0.975])


def test_featcae_leads_on_screw_as_measured_and_not_at_one_mean_grey():
    assert difference("screw", "combined", "resnet")[0] > 0
    low, high = difference("screw", "combined", "resnet", "brightness-normalised")
    assert low < 0 < high
    assert "does not survive one mean grey" in words("claims")
    assert "undecided at one mean grey" in words("illumination")


def test_the_orders_hold_on_average_and_the_values_do_not():
    plain = SUMMARY[(SUMMARY.variant == "plain") & SUMMARY.backbone.isin(["", MAIN])]
    wide = plain.pivot(index="category", columns="model", values="auroc_mean")
    assert (wide.resnet - wide.autoencoder).mean() > 0.1
    assert (wide.combined - wide.resnet).mean() > 0.05
    own = plain[plain.model == "autoencoder"].set_index("category")
    assert own.auroc_ci_low["metal_nut"] < CLAIMS["autoencoder"] < 0.5
    assert own.auroc_ci_high["metal_nut"] > 0.5  # compatible with chance as well
    assert (own.auroc_ci_low.drop("metal_nut") > CLAIMS["autoencoder"]).all()
    combined = plain[plain.model == "combined"].set_index("category")
    met = (combined.auroc_ci_low >= CLAIMS["combined"] - 0.05).pipe(lambda each: each[each].index)
    assert list(met) == ["metal_nut"]
    assert "0.99 on metal nut alone" in words("claims")
    assert "0.33, and with chance" not in words("claims")  # the number is put in, not typed


def test_a_third_of_the_verdicts_changes_with_the_backbone():
    def order(first, second, part, backbone):
        which = {"category": part, "variant": "plain"}
        pair = []
        for model in (first, second):
            own = {"model": model, "backbone": "" if model == "autoencoder" else backbone}
            rows = tables.select(SCORES, **which, **own).sort_values(["seed", "image"])
            labels = rows[rows.seed == 0].label.to_numpy()
            pair.append(rows.score_top10.to_numpy().reshape(-1, len(labels)))
        random = np.random.default_rng(4)
        groups = [np.flatnonzero(labels == label) for label in (0, 1)]
        drawn = []
        for _ in range(600):
            rows = np.concatenate([random.choice(group, len(group)) for group in groups])
            means = [rank_auroc(labels[rows], each[:, rows]).mean() for each in pair]
            drawn.append(means[0] - means[1])
        low, high = np.quantile(drawn, [0.025, 0.975])
        return "met" if low > 0 else "contradicted" if high < 0 else "undecided"

    backbones = (MAIN, "resnet50", "efficientnet_lite0")
    changed = [
        part
        for part in PARTS
        if len({order("combined", "resnet", part, name) for name in backbones}) > 1
    ]
    assert 3 <= len(changed) <= 5
    assert "A third of the verdicts change with the backbone" in words("claims")


def test_no_model_is_compared_at_another_image_size_without_saying_so():
    """PatchCore stands at 384 pixels beside kNN reconstruction, which is in the appendix alone."""
    for name, text in everything().items():
        if "knn" in text.lower() or "kNN" in text:
            assert name in {"tried", "methods", "rerun", "cost"}, name
    larger = SUMMARY[(SUMMARY.variant == LARGER) & (SUMMARY.backbone == MAIN)]
    own = SUMMARY[(SUMMARY.model == "knn_reconstruction") & (SUMMARY.variant == "plain")]
    assert set(larger.image_size) == set(own.image_size[own.backbone == MAIN]) == {384}


def test_brightness_differs_between_test_and_training_on_most_parts_and_solves_two():
    unlike = []
    for part, images in LIT[LIT.label == 0].groupby("category"):
        groups = [images.mean_grey[images.split == split] for split in ("train", "test")]
        if stats.mannwhitneyu(*groups).pvalue < 0.05:
            unlike.append(part)
    assert len(unlike) > len(PARTS) / 2 and "screw" in unlike
    assert "On most parts, test and training images differ in brightness" in words("task")
    alone = {
        part: rank_auroc(
            *[x if x.ndim == 1 and x.dtype == int else x[None] for x in scored(part, CONTROL)]
        )[0]
        for part in PARTS
    }
    assert [part for part in PARTS if alone[part] > 0.9 or alone[part] < 0.3] == ["grid", "screw"]


def test_training_scores_break_the_reports_promise_and_held_out_scores_seldom_do():
    alarms = {"training": [], "held-out": []}
    for part in PARTS:
        own = NOMINAL[(NOMINAL.category == part) & (NOMINAL.variant == "held-out")]
        own = own[(own.model == "combined") & (own.backbone == MAIN)]
        learned, held_out = (own.score[own.images == each].to_numpy() for each in alarms)
        alarms["training"].append((held_out > threshold("mean", learned)).mean())
        left_out = [
            held_out[i] > threshold("mean", np.delete(held_out, i)) for i in range(len(held_out))
        ]
        alarms["held-out"].append(np.mean(left_out))
    promised = stats.norm.sf(3)
    assert min(alarms["training"]) > 10 * promised  # on every part
    assert np.mean(alarms["held-out"]) < np.mean(alarms["training"]) / 3
    assert "training scores are too low" in words("thresholds")


def test_the_conformal_promise_breaks_on_screw_with_features_that_brightness_misleads():
    broken, chances = [], {}
    for part in PARTS:
        for model in MODELS:
            own = NOMINAL[(NOMINAL.category == part) & (NOMINAL.model == model)]
            own = own[(own.variant == "held-out") & (own.images == "held-out")]
            learned = own[own.backbone.isin(["", MAIN])].score.to_numpy()
            labels, values = scored(part, model, "held-out")
            alarms = int((values[labels == 0] > threshold("conformal", learned)).sum())
            above = int(0.05 * (len(learned) + 1))
            chances[part, model] = stats.betabinom.sf(
                alarms - 1, int((labels == 0).sum()), above, len(learned) + 1 - above
            )
    for rank, (pair, p) in enumerate(sorted(chances.items(), key=lambda each: each[1])):
        if p * (len(chances) - rank) >= 0.05:
            break
        broken.append(pair)
    assert broken == [("screw", "resnet")]
    before, after = (
        rank_auroc(*(each[None] if i else each for i, each in enumerate(scored("screw", *which))))
        for which in (("resnet",), ("resnet", "brightness-normalised"))
    )
    assert after - before > 0.05
    assert "exchangeability" in words("thresholds")


def test_defects_at_equal_rarity_have_about_the_same_ratio_with_one_layer_and_two():
    bins = tables.read_table("layers")
    rare = bins[(bins.category == "screw") & (bins.latent == 50) & (bins.above >= 0.99)]
    rare = rare[rare.patches > 0]
    ratios = {}
    for layers, rows in rare.groupby("layers"):
        mean = {
            kind: np.average(own.error, weights=own.patches) for kind, own in rows.groupby("kind")
        }
        ratios[layers] = mean["defect"] / mean["normal"]
    assert max(ratios.values()) / min(ratios.values()) < 1.1
    scores = tables.read_table("layer_scores")
    groups = by_group(scores[scores.latent == 50], ["category", "layers"], "score_top10")
    auroc = {key: rank_auroc(labels, values).mean() for key, labels, values in groups}
    assert auroc["screw", "layer2,layer3"] - auroc["screw", "layer2"] > 0.05
    trials = tables.read_table("copies/trials").set_index(["category", "family", "trial"]).plain
    base = trials["screw", "FeatCAE", "as in combined"]
    assert trials["screw", "FeatCAE", "error relative to like patches"] < base
    assert "The ratio hardly changes, and the AUROC does" in words("featcae_on_screw")


def test_featcae_loses_most_on_the_side_of_the_thread():
    of_type = {}
    for model in ("combined", "patchcore"):
        which = {"category": "screw", "model": model, "variant": "plain", "backbone": MAIN}
        rows = tables.select(SCORES, seed=0, **which)
        normal = rows[rows.label == 0]
        for kind, own in rows[rows.label == 1].groupby("defect_type"):
            both = pd.concat([normal, own])
            of_type[model, kind] = rank_auroc(
                both.label.to_numpy(), both.score_top10.to_numpy()[None]
            )[0]
    lost = {kind: of_type["patchcore", kind] - of_type["combined", kind] for _, kind in of_type}
    assert max(lost, key=lost.get) == "thread_side"
    assert "it loses most on the side of the thread" in words("featcae_on_screw")


def test_changes_of_settings_are_counted_after_correction():
    from study.tables.sensitivity import numbers

    table = tables.read_table("copies/sensitivity")
    p = np.sort(table.p[~table.usual.astype(bool)].to_numpy())
    ranks = np.arange(1, len(p) + 1)
    benjamini = ranks[p <= 0.05 * ranks / len(p)].max()
    text, clear, moving, flat = numbers(table)
    assert (int(text["turned"]), int(text["clear"])) == (len(p), (p < 0.05).sum())
    assert (int(text["benjamini"]), int(text["bonferroni"])) == (
        benjamini,
        (p * len(p) < 0.05).sum(),
    )
    assert (clear.Benjamini.isin(["< 0.001"]) | (clear.Benjamini.str.len() == 5)).all()
    assert set(moving.factor) | set(flat) == set(table.factor) and set(flat).isdisjoint(
        moving.factor
    )


def test_no_interval_has_collapsed():
    for low, high in (("auroc_ci_low", "auroc_ci_high"), ("auroc_both_low", "auroc_both_high")):
        assert (SUMMARY[low] < SUMMARY[high]).all()
    pixel = tables.read_table("pixel")
    assert (pixel.pixel_auroc_low < pixel.pixel_auroc_high).all()


def test_the_lead_of_patchcore_over_parts_is_not_separated_from_zero():
    random, gains = np.random.default_rng(5), []
    for part in PARTS:
        pair = []
        for model in ("patchcore", "combined"):
            which = {"category": part, "model": model, "variant": "plain", "backbone": MAIN}
            rows = tables.select(SCORES, **which).sort_values(["seed", "image"])
            labels = rows[rows.seed == 0].label.to_numpy()
            pair.append(rank_auroc(labels, rows.score_top10.to_numpy().reshape(-1, len(labels))))
        gains.append(np.mean(pair[0]) - np.mean(pair[1]))
    drawn = [np.mean(random.choice(gains, len(gains))) for _ in range(4000)]
    assert np.quantile(drawn, 0.025) < 0.005 < np.mean(gains)
    assert "lead over FeatCAE is not separated from zero" in words("landing")


def test_at_one_mean_grey_patchcore_stays_ahead_on_screw():
    assert difference("screw", "patchcore", "combined", "brightness-normalised")[0] > 0
    assert "At one mean grey the gap to PatchCore stays" in words("featcae_on_screw")


def test_layer3_is_what_screws_need_beside_layer2():
    which = {"category": "screw", "model": "combined", "backbone": MAIN, "seed": 0}
    runs = [
        tables.select(SCORES, variant=variant, **which).sort_values("image")
        for variant in ("plain", "layer2", "layer3")
    ]
    labels = runs[0].label.to_numpy()
    both, two, three = rank_auroc(labels, np.stack([run.score_top10 for run in runs]))
    assert both - two > 0.05 and abs(both - three) < 0.02
    assert "with `layer3` alone no difference shows" in words("featcae_on_screw")


def test_seeds_move_the_autoencoder_on_screw_more_than_images_do():
    own = SUMMARY[(SUMMARY.category == "screw") & (SUMMARY.variant == "plain")]
    row = own[own.model == "autoencoder"].iloc[0]
    assert row.auroc_sd > (row.auroc_ci_high - row.auroc_ci_low) / 3.92
    on_features = SUMMARY[(SUMMARY.variant == "plain") & (SUMMARY.backbone == MAIN)]
    several = on_features[on_features.n_seeds > 2]
    wide = (several.auroc_ci_high - several.auroc_ci_low) / 3.92
    assert (several.auroc_sd < wide).all()


def test_defective_nuts_have_less_contrast():
    labels, values = scored("metal_nut", "contrast")
    assert rank_auroc(labels, values[None])[0] < 0.3
    assert "Defective nuts have less contrast" in words("below_chance")

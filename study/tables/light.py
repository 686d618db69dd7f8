"""How much of each AUROC is the light: taken from the images, or allowed for in the comparison."""

import numpy as np
import pandas as pd

from anomalylib.metrics.intervals import Interval, auroc_interval, win_matrix
from study.names import CONTROL, KINDS, MODELS, NORMALISED, label, plain
from study.tables.comparisons import compare
from study.tables.covariate import adjusted_auroc
from study.tables.reference import of_model, scores_of, select, wins_of
from study.tables.text import Numbers, change_of, interval_text

COVARIATES = {"grey": CONTROL, "contrast": "contrast"}
"""What an AUROC is adjusted for, by the words of the columns: controls among the scores."""
PAIR = ("combined", "resnet")
STRONG, WEAK = 0.9, 0.3
"""A part is lit unlike where brightness alone scores above the one or below the other."""


def survival(scores: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """What is left of every model's AUROC on every part without the light, a row each.

    ``plain`` is the AUROC; ``normalised`` that with all images at one mean grey value, over the
    seeds that were measured so, or NaN; ``grey`` and ``contrast`` the covariate-adjusted AUROC,
    NaN where not identified. Each comes with ``_low`` and ``_high``, the last two with
    ``_overlap``, the share of anomalous images within the normal images' range.
    """
    covariates = {}
    rows = []
    for category in scores.category.unique():
        for word, control in COVARIATES.items():
            covariates[word] = scores_of(scores, category=category, model=control)[1][0]  # (N,)
        for model, variant in KINDS:
            which = {"category": category} | of_model(model, backbone)
            if not _there(scores, variant=variant, **which):
                continue
            row = {"category": category, "model": model, "variant": variant}
            row |= _named("plain", auroc_interval(wins_of(scores, variant=variant, **which)))
            normalised = (np.nan,) * 3
            if variant == "plain" and _there(scores, variant=NORMALISED, **which):
                normalised = auroc_interval(wins_of(scores, variant=NORMALISED, **which))
            row |= _named("normalised", normalised)
            labels, values = scores_of(scores, variant=variant, **which)
            for word, covariate in covariates.items():
                adjusted = adjusted_auroc(labels, values, covariate)
                row |= _named(word, adjusted[:3]) | {f"{word}_overlap": adjusted.overlap}
            rows.append(row)
    return pd.DataFrame(rows)


def shift(light: pd.DataFrame) -> pd.DataFrame:
    """How the light of normal images changes from training to test, a row a part.

    Means and standard deviations of the mean grey value in training, among normal and among
    anomalous test images; ``shift`` in deviations of training; and two AUROCs of brightness
    alone with their intervals, of normal test images against training ones and of anomalous
    against normal test images.
    """
    rows = []
    for category, images in light.groupby("category"):
        train = select(images, split="train").mean_grey.to_numpy()
        test = select(images, split="test")
        normal, anomalous = (test.mean_grey[test.label == label].to_numpy() for label in (0, 1))
        row = {"category": category}
        for name, each in (("train", train), ("normal", normal), ("anomalous", anomalous)):
            row |= {name: each.mean(), f"{name}_sd": each.std(ddof=1)}
        row["shift"] = (normal.mean() - train.mean()) / train.std(ddof=1)
        row |= _named("train_test", _separation(train, normal))
        rows.append(row | _named("brightness", _separation(normal, anomalous)))
    return pd.DataFrame(rows)


def lit_unlike(summary: pd.DataFrame) -> pd.DataFrame:
    """The parts on which brightness alone scores above `STRONG` or below `WEAK`."""
    alone = select(summary, model=CONTROL, variant="plain")
    return alone[(alone.auroc_mean > STRONG) | (alone.auroc_mean < WEAK)]


def _separation(low: np.ndarray, high: np.ndarray) -> tuple[float, float, float]:
    """The AUROC of values, as scores, of the second group against the first, with its interval."""
    labels = np.repeat([0, 1], [len(low), len(high)])
    return tuple(auroc_interval(win_matrix(labels, np.concatenate([low, high])[None])))


def _named(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _there(scores: pd.DataFrame, **which: str) -> bool:
    same = [scores[name] == value for name, value in which.items()]
    return bool(np.logical_and.reduce(same).any())


def survival_table(survived: pd.DataFrame) -> pd.DataFrame:
    """The rows of `survival` as a page shows them."""
    rows = survived[survived.variant == "plain"]
    shown = {"category": rows.category, "model": rows.model}
    words = {"plain": "as measured", "normalised": "one mean grey"}
    words |= {"grey": "adjusted for grey", "contrast": "adjusted for contrast"}
    for kind, text in words.items():
        values = zip(rows[kind], rows[f"{kind}_low"], rows[f"{kind}_high"], strict=True)
        shown[text] = [interval_text(Interval(*each)) for each in values]
        if f"{kind}_overlap" in rows:
            shown[f"overlap, {kind}"] = rows[f"{kind}_overlap"].map("{:.0%}".format)
    return pd.DataFrame(shown)


def shift_table(shifts: pd.DataFrame) -> pd.DataFrame:
    """The rows of `shift` as a page shows them."""
    shown = {"category": shifts.category}
    texts = {"train": "training", "normal": "test, normal", "anomalous": "test, anomalous"}
    for name, text in texts.items():
        pairs = zip(shifts[name], shifts[f"{name}_sd"], strict=True)
        shown[text] = [f"{mean:.1f} ± {sd:.1f}" for mean, sd in pairs]
    for name, text in (("train_test", "normal: test against training"), ("brightness", "AUROC")):
        values = zip(shifts[name], shifts[f"{name}_low"], shifts[f"{name}_high"], strict=True)
        shown[text] = [interval_text(Interval(*each)) for each in values]
    return pd.DataFrame(shown)


def shift_numbers(shifts: pd.DataFrame) -> Numbers:
    """Of the page on the data; `shifts` is of `shift`."""
    made: Numbers = {f"{row.category}_shift": f"{row.shift:+.1f}" for row in shifts.itertuples()}
    shifted = shifts[(shifts.train_test_high < 0.5) | (shifts.train_test_low > 0.5)]
    return made | {"shifted": ", ".join(map(plain, shifted.category)) or "none"}


def lead(scores: pd.DataFrame, category: str, backbone: str) -> Numbers:
    """How far combined leads pooled features, as measured and at one mean grey, on shared seeds.

    And the AUROCs of the page's text, before and after.
    """
    made: Numbers = {}
    seeds = scores[scores.variant == NORMALISED].seed.unique()
    same = scores[scores.seed.isin(seeds)]
    for word, variant in (("", "plain"), ("_matched", NORMALISED)):
        pair = ({"category": category, "variant": variant} | of_model(m, backbone) for m in PAIR)
        made[f"{category}_lead{word}"] = change_of(compare(same, *pair))
    for part, model in ((category, "resnet"), ("grid", "autoencoder")):
        for word, variant in (("before", "plain"), ("after", NORMALISED)):
            which = {"category": part, "variant": variant} | of_model(model, backbone)
            made[f"{part}_{model}_{word}"] = wins_of(same, **which).mean()
    return made


def numbers(survived: pd.DataFrame, changed: pd.DataFrame, greys: pd.DataFrame) -> Numbers:
    """Of the page on illumination.

    `survived` is of `survival`, `changed` of `comparisons.between_variants` with one mean grey,
    `greys` the table ``light``.
    """
    made: Numbers = {}
    rows = survived[survived.variant == "plain"]
    lost = rows.category[rows.grey.isna()].unique()
    made["not_identified"] = ", ".join(map(plain, lost)) or "none"
    on_features = rows[rows.model != "autoencoder"].set_index(["model", "category"])
    losses = on_features[["grey", "contrast"]].sub(on_features.plain, axis=0).min(axis=1)
    model, part = losses.idxmin()
    made["features_lose"] = f"{losses.min():+.3f} ({label(model)} on {plain(part)})"
    of_models = changed[changed.model.isin(MODELS)].rename(columns={"difference": "normalised"})
    changes = rows.assign(grey=rows.grey - rows.plain, contrast=rows.contrast - rows.plain)
    for kind, table in (("normalised", of_models), ("grey", changes), ("contrast", changes)):
        largest = table.loc[table[kind].abs().idxmax()]
        where = f"{label(largest.model)} on {plain(largest.category)}"
        made[f"{kind}_most"] = f"{largest[kind]:+.3f} ({where})"
    grid = greys[(greys.category == "grid") & (greys.split == "test")]
    least = grid.mean_grey[grid.label == 1].quantile(0.1)
    return made | {"grid_bright": str((grid.mean_grey[grid.label == 0] > least).sum())}

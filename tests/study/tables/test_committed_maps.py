"""The committed maps and pixel metrics, against the scores and the runs."""

import numpy as np
import pytest
from scipy import stats

from study.names import LARGER, MAIN, REPORTED
from study.runs.examples import KINDS
from study.tables import reference as tables
from tests.study.tables.formulas import threshold
from tests.study.tables.test_committed import NOMINAL, RUNS, SCORES, SIZES


def test_examples_are_the_telling_images_of_each_part_and_model():
    shown = tables.read_table("examples")
    path = tables.REFERENCE / "examples.npz"
    assert path.stat().st_size < 3_000_000
    with np.load(path) as arrays:
        assert set(arrays) == {f"{n} {what}" for n in shown.arrays for what in ("maps", "masks")}
        for name, rows in shown.groupby("arrays"):
            maps, masks = arrays[f"{name} maps"], arrays[f"{name} masks"]
            assert len(maps) == len(masks) == len(rows) == len(KINDS)
            highest = np.sort(maps.reshape(4, -1).astype(float), axis=1)[:, -10:].mean(axis=1)
            assert highest == pytest.approx(rows.score.to_numpy(), rel=5e-3)  # of half precision
            assert not masks[3].any() and all(mask.any() for mask in masks[:3])
    first = SCORES[(SCORES.seed == 0) & SCORES.backbone.isin(["", MAIN])]
    which = ["category", "model", "variant", "backbone"]
    both = shown.merge(first, on=[*which, "image"], suffixes=("", "_"))
    assert len(both) == len(shown)
    assert both.score.to_numpy() == pytest.approx(both.score_top10.to_numpy(), rel=1e-6)


def test_pixel_metrics_have_an_interval_on_every_part_and_model_with_places():
    found = tables.read_table("pixel")
    keys = set(found[["category", "model", "variant"]].itertuples(index=False, name=None))
    kinds = [("autoencoder", "plain"), ("combined", "plain"), ("patchcore", "plain")]
    assert keys == {(part, *kind) for part in SIZES for kind in (*kinds, ("patchcore", LARGER))}
    for column in ("pixel_auroc", "aupro"):
        low, value, high = (found[f"{column}{end}"] for end in ("_low", "", "_high"))
        assert ((low < value) & (value < high)).all()
    plain = found[found.variant == "plain"]
    both = plain.merge(RUNS, on=[*tables.GROUP, "seed"], suffixes=("", "_run"))
    assert len(both) == len(plain)
    for column, near in (("pixel_auroc", 0.01), ("aupro", 0.03)):  # of another machine
        assert np.abs(both[column] - both[f"{column}_run"]).max() < near


def test_kept_maps_are_those_of_every_test_image_and_score_alike():
    arrays = tables.read_arrays("maps")
    models = ("autoencoder", "combined", "patchcore")
    names = [f"{part} {model}" for part in REPORTED for model in models]
    assert set(arrays) == {*names, *(f"{name} scores" for name in names)}
    for name in names:
        part, model = name.split()
        maps, scores = arrays[name], arrays[f"{name} scores"]
        assert maps.dtype == np.uint8 and len(maps) == len(scores) == sum(SIZES[part])
        which = tables.of_model(model, MAIN)
        _, known = tables.scores_of(SCORES, category=part, **which)
        assert stats.spearmanr(scores, known[0]).statistic > 0.95
        normal = tables.select(NOMINAL, category=part, seed=0, variant="plain", **which).score
        limit = threshold("mean", normal.to_numpy())
        top = np.sort(maps.reshape(len(maps), -1), axis=1)[:, -10:].mean(axis=1) / 255 * 2
        if model != "autoencoder":  # whose maps are kept coarser
            inside = scores < 1.2 * limit
            assert top[inside] == pytest.approx(scores[inside] / limit, rel=0.15)

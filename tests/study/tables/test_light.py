import numpy as np
import pandas as pd
import pytest

from study.names import CONTROL, LARGER, MAIN, MODELS, NORMALISED
from study.tables import light
from study.tables.comparisons import between_variants
from study.tables.covariate import adjusted_auroc
from study.tables.reference import select
from tests.study.drawn import reference_tables
from tests.study.tables.formulas import rank_auroc


@pytest.fixture(scope="module")
def scores():
    return reference_tables(("metal_nut", "screw"), times=3)[0]


@pytest.fixture(scope="module")
def survived(scores):
    return light.survival(scores, MAIN)


@pytest.fixture
def greys():
    """Training darker by two deviations on `screw`; anomalous images brighter by one on both."""
    random = np.random.default_rng(0)
    frames = []
    for category, dark in (("metal_nut", 0), ("screw", 2)):
        for split, label, level in (("train", 0, -dark), ("test", 0, 0), ("test", 1, 1)):
            images = [f"{split}/{label}/{i}" for i in range(40)]
            columns = {"category": category, "split": split, "image": images, "label": label}
            grey = random.normal(100 + level, 1, 40)
            frames.append(pd.DataFrame(columns | {"mean_grey": grey, "contrast": 20.0}))
    return pd.concat(frames, ignore_index=True)


def test_every_model_has_its_aurocs_on_every_part(scores, survived):
    assert len(survived) == 2 * (len(MODELS) + 1)
    for row in survived.itertuples():
        own = select(scores, category=row.category, model=row.model, variant=row.variant)
        (expected,) = rank_auroc(own.label.to_numpy(), own.score_top10.to_numpy()[None])
        assert row.plain == pytest.approx(expected)
        assert row.plain_low <= row.plain <= row.plain_high
        if row.variant == LARGER:
            assert np.isnan(row.normalised)
        else:
            own = select(
                scores, category=row.category, model=row.model, variant="brightness-normalised"
            )
            (expected,) = rank_auroc(own.label.to_numpy(), own.score_top10.to_numpy()[None])
            assert row.normalised == pytest.approx(expected)


def test_what_is_adjusted_for_is_the_control_of_the_same_images(scores, survived):
    shuffled = scores.sample(frac=1, random_state=0)
    again = light.survival(shuffled, MAIN).set_index(["category", "model", "variant"])
    for row in survived.itertuples():
        own = select(scores, category=row.category, model=row.model, variant=row.variant)
        grey = select(scores, category=row.category, model=CONTROL, variant="plain")
        assert own.image.tolist() == grey.image.tolist()
        values = own.score_top10.to_numpy(), grey.score_top10.to_numpy()
        expected = adjusted_auroc(own.label.to_numpy(), *values)
        assert not np.isnan(expected.auroc)
        found = again.loc[(row.category, row.model, row.variant)]
        assert (row.grey, row.grey_overlap) == pytest.approx(
            (expected.auroc, expected.overlap), nan_ok=True
        )
        assert found.grey == pytest.approx(row.grey, nan_ok=True)


def test_a_shift_of_the_light_is_told_in_deviations_of_training(greys):
    table = light.shift(greys).set_index("category")
    for name, rows in greys.groupby("category"):
        train = rows.mean_grey[rows.split == "train"]
        normal = rows.mean_grey[(rows.split == "test") & (rows.label == 0)]
        expected = (normal.mean() - train.mean()) / train.std()
        assert table.loc[name, "shift"] == pytest.approx(expected)
    assert table.train_test_low["screw"] > 0.5 > table.train_test_low["metal_nut"]
    assert (table.brightness_low > 0.5).all()


def test_parts_lit_unlike_are_those_beyond_the_marks():
    rows = [
        {"category": name, "model": CONTROL, "variant": "plain", "auroc_mean": value}
        for name, value in (("a", 0.91), ("b", 0.9), ("c", 0.3), ("d", 0.29))
    ]
    assert light.lit_unlike(pd.DataFrame(rows)).category.tolist() == ["a", "d"]


def test_the_text_names_what_changes_most(scores, survived, greys):
    changed = between_variants(scores, NORMALISED, MAIN)
    lit = pd.concat([greys, greys[greys.category == "screw"].assign(category="grid")])
    made = light.numbers(survived, changed, lit)
    of_models = changed[changed.model.isin(MODELS)].difference
    largest = of_models.loc[of_models.abs().idxmax()]
    assert made["normalised_most"].startswith(f"{largest:+.3f} (")
    plain = survived[survived.variant == "plain"]
    change = (plain.grey - plain.plain).loc[lambda each: each.abs().idxmax()]
    assert made["grey_most"].startswith(f"{change:+.3f} (")


def test_the_text_names_the_parts_that_are_lit_unlike_in_test(greys):
    assert light.shift_numbers(light.shift(greys))["shifted"] == "screw"


def test_a_lead_is_the_difference_on_the_same_seeds(scores):
    grid = scores[scores.category == "screw"].assign(category="grid")
    made = light.lead(pd.concat([scores, grid]), "screw", MAIN)
    for word, variant in (("", "plain"), ("_matched", NORMALISED)):
        one, other = (
            select(scores, category="screw", model=model, variant=variant)
            for model in ("combined", "resnet")
        )
        labels = one.label.to_numpy()
        both = [rank_auroc(labels, each.score_top10.to_numpy()[None])[0] for each in (one, other)]
        assert made[f"screw_lead{word}"].startswith(f"{both[0] - both[1]:+.3f} [")


def test_pages_show_a_dash_where_nothing_is_identified(survived, greys):
    lost = survived.assign(grey=np.nan, grey_low=np.nan, grey_high=np.nan)
    assert set(light.survival_table(lost)["adjusted for grey"]) == {"–"}
    assert len(light.survival_table(survived)) == 2 * len(MODELS)
    shown = light.shift_table(light.shift(greys))
    assert list(shown.category) == ["metal_nut", "screw"]

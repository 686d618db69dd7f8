import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from anomalylib import charts, tables
from anomalylib.plots import COLOURS, THRESHOLD
from anomalylib.settings import ARMS

LABELS = np.array([0] * 6 + [1] * 8)
IMAGES = [f"test/{'bent' if label else 'good'}/{i}.png" for i, label in enumerate(LABELS)]


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def made():
    """Tables of one category with every arm and control."""
    random = np.random.default_rng(0)
    scores, nominal = [], []
    arms = [("autoencoder", ""), *((arm, "resnet50") for arm in ARMS[1:])]
    for arm, backbone in [*arms, *((name, "") for name in tables.CONTROLS)]:
        for variant in ("plain", "held-out", "grey-matched"):
            own = {"category": "metal_nut", "variant": variant, "arm": arm, "backbone": backbone}
            value = np.exp(random.normal(size=14) + LABELS)
            columns = {"seed": 0, "image": IMAGES, "label": LABELS, "defect_type": "bent"}
            columns |= dict.fromkeys(("score_top10", "score_mean", "score_max"), value)
            scores.append(pd.DataFrame(own | columns))
            if arm in ARMS and variant != "grey-matched":
                learned = {"seed": 0, "score": np.exp(random.normal(size=30))}
                nominal.append(pd.DataFrame(own | learned))
    scores, nominal = pd.concat(scores), pd.concat(nominal)
    runs = scores[[*tables.GROUP, "seed"]].drop_duplicates()
    runs = runs.assign(layers="", image_size=1, pixel_auroc=0.5, aupro=0.5)
    summary = tables.summarise(scores, nominal, runs)
    return scores, nominal, summary, tables.decisions(scores, nominal)


def test_every_arm_and_control_has_a_row_in_its_colour(made):
    scores, _, summary, _ = made
    (axes,) = charts.measured(summary, scores).axes
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == [*COLOURS, "contrast", "file size"]
    drawn = {line.get_color() for line in axes.lines}
    assert set(COLOURS.values()) <= drawn


def test_the_means_are_where_the_summary_says(made):
    scores, _, summary, _ = made
    (axes,) = charts.measured(summary, scores).axes
    marks = {
        round(float(line.get_xdata()[0]), 6) for line in axes.lines if line.get_marker() == "o"
    }
    plain = summary[summary.variant == "plain"]
    assert {round(value, 6) for value in plain.auroc_mean} <= marks


def test_controls_show_each_variant_once(made):
    _, _, summary, _ = made
    (axes,) = charts.controls(summary, "resnet50").axes
    diamonds = [line for line in axes.lines if line.get_marker() == "D"]
    assert len(diamonds) == len(summary[summary.variant == "grey-matched"])


def test_each_rule_has_a_histogram_with_its_red_line(made):
    scores, nominal, _, decided = made
    figure = charts.rules(
        scores, nominal, decided, "metal_nut", arm="combined", backbone="resnet50"
    )
    assert len(figure.axes) == len(tables.RULES)
    for axes, rule in zip(figure.axes, tables.RULES, strict=True):
        (line,) = [line for line in axes.lines if line.get_color() == THRESHOLD]
        own = tables.select(nominal, variant=rule.variant, arm="combined").score.to_numpy()
        assert line.get_xdata()[0] == pytest.approx(rule.rule.fit(own).threshold_)
        assert axes.get_title(loc="left") == rule.name


def test_scores_stand_against_a_trivial_property(made):
    scores, *_ = made
    (axes,) = charts.against(scores, "autoencoder", "contrast").axes
    assert sum(len(points.get_offsets()) for points in axes.collections) == len(LABELS)


def test_training_has_a_line_a_seed_and_aggregation():
    rows = [
        {"category": "screw", "seed": seed, "epoch": epoch, "aggregation": name, "auroc": 0.5}
        for seed in (0, 1)
        for epoch in (1, 2)
        for name in ("top", "all")
    ]
    (axes,) = charts.training(pd.DataFrame(rows)).axes
    assert (
        sum(len(line.get_xdata()) == 2 and line.get_linestyle() != "--" for line in axes.lines) == 4
    )


def test_errors_by_place_have_a_panel_a_type_and_one_scale():
    row, column = np.indices((4, 4)).reshape(2, -1)
    own = {"category": "metal_nut", "row": row, "column": column}
    table = pd.concat(
        [
            pd.DataFrame(own | {"defect_type": kind, "error": row * factor})
            for kind, factor in (("good", 1.0), ("bent", 2.0))
        ]
    )
    figure = charts.error_maps(table, "metal_nut")
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in figure.axes if axes.images] == ["good", "bent"]
    assert images[0].get_clim() == images[1].get_clim()


def test_places_are_drawn_for_both_reconstructions():
    rows = [
        {"category": "metal_nut", "arm": arm, "backbone": backbone, "image": f"{i}"}
        | {"inside": 2.0 + i, "usual": 1.0}
        for arm, backbone in (("autoencoder", ""), ("combined", "resnet50"))
        for i in range(5)
    ]
    (axes,) = charts.places(pd.DataFrame(rows), "resnet50").axes
    assert sum(patch.get_height() for patch in axes.patches) == 10


def test_sensitivity_has_a_panel_a_factor_with_numbers_in_order(made):
    _, _, summary, _ = made
    rows = [
        {"category": "metal_nut", "arm": "combined", "factor": factor, "value": value}
        | {"usual": usual, "auroc": 0.8, "auroc_ci_low": 0.7, "auroc_ci_high": 0.9}
        for factor, values in (("epochs", ("20", "5", "10")), ("batch norm", ("off", "on")))
        for value, usual in [(value, value in ("10", "on")) for value in values]
    ]
    figure = charts.sensitivity(pd.DataFrame(rows), summary, "metal_nut", "resnet50")
    first, second = figure.axes[:2]
    assert [text.get_text() for text in first.get_xticklabels()] == ["5", "10", "20"]
    assert [text.get_text() for text in second.get_xticklabels()] == ["off", "on"]

import numpy as np
import pandas as pd

from study.figures import reasons as diagnostics
from study.names import MAIN
from tests.study.drawn import LABELS


def test_scores_stand_against_a_trivial_property(made):
    scores, *_ = made
    (axes,) = diagnostics.against(scores, "autoencoder", "contrast").axes
    assert sum(len(points.get_offsets()) for points in axes.collections) == len(LABELS)


def test_training_has_a_line_a_seed_and_aggregation():
    rows = [
        {"category": "screw", "seed": seed, "epoch": epoch, "aggregation": name, "auroc": 0.5}
        for seed in (0, 1)
        for epoch in (1, 2)
        for name in ("top", "all")
    ]
    (axes,) = diagnostics.training(pd.DataFrame(rows)).axes
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
    figure = diagnostics.error_maps(table, "metal_nut")
    good, bent = (axes for axes in figure.axes if axes.get_title())
    assert [axes.get_title() for axes in (good, bent)] == ["normal", "bent"]
    assert good.collections[0].get_clim() == bent.collections[0].get_clim()
    assert bent.collections[0].get_array().max() == 6


def test_places_are_drawn_for_both_reconstructions():
    rows = [
        {"category": "metal_nut", "model": model, "backbone": backbone, "image": f"{i}"}
        | {"inside": 2.0 + i, "usual": 1.0}
        for model, backbone in (("autoencoder", ""), ("combined", MAIN))
        for i in range(5)
    ]
    (axes,) = diagnostics.places(pd.DataFrame(rows), MAIN).axes
    assert sum(patch.get_height() for patch in axes.patches) == 10


def test_sensitivity_has_a_panel_a_factor_with_numbers_in_order(made):
    _, _, summary, _ = made
    rows = [
        {"category": "metal_nut", "model": "combined", "factor": factor, "value": value}
        | {"usual": usual, "auroc": 0.8, "auroc_ci_low": 0.7, "auroc_ci_high": 0.9}
        for factor, values in (("epochs", ("20", "5", "10")), ("batch norm", ("off", "on")))
        for value, usual in [(value, value in ("10", "on")) for value in values]
    ]
    figures = diagnostics.sensitivity(pd.DataFrame(rows), summary, "metal_nut", MAIN)
    first, second = (figure.axes[0] for figure in figures)
    assert [text.get_text() for text in first.get_xticklabels()] == ["5", "10", "20"]
    assert [text.get_text() for text in second.get_xticklabels()] == ["off", "on"]


def test_settings_are_sorted_and_the_usual_one_is_filled():
    values = [("epochs", "2", 0.5, False), ("epochs", "9", 0.9, False), ("epochs", "5", 0.7, True)]
    table = pd.DataFrame(values, columns=["factor", "value", "auroc", "usual"])
    table = table.assign(auroc_ci_low=table.auroc - 0.1, auroc_ci_high=table.auroc + 0.1)
    (axes,) = diagnostics.picked(table, "combined").axes
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_ydata()[0] for line in marks] == [0.5, 0.7, 0.9]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [True, False, True]
    assert [text.get_text() for text in axes.texts] == ["epochs: 2", "epochs: 9"]

import numpy as np
import pandas as pd
import pytest

from study.figures import reference as charts
from study.figures.style import COLOURS
from study.names import MODELS, plain


def test_every_model_and_control_has_a_row_in_its_colour(made):
    scores, _, summary, _ = made
    (axes,) = charts.measured(summary, scores).axes
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == [*map(plain, COLOURS), "contrast", "file size"]
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
    assert len(diamonds) == len(summary[summary.variant == "brightness-normalised"])


def test_only_the_backbones_asked_for_are_shown(made):
    scores, _, summary, _ = made
    named = summary.assign(backbone=summary.backbone.replace("resnet50", "other"))
    renamed = scores.assign(backbone=scores.backbone.replace("resnet50", "other"))
    both, all_scores = pd.concat([summary, named]), pd.concat([scores, renamed])
    both, all_scores = both.drop_duplicates(), all_scores.drop_duplicates()
    (axes,) = charts.measured(both, all_scores, ["resnet50"]).axes
    assert "s" not in {line.get_marker() for line in axes.lines}
    assert "claimed 0.99" in {text.get_text() for text in axes.texts}
    (axes,) = charts.measured(both, all_scores).axes
    assert "s" in {line.get_marker() for line in axes.lines}


def test_differences_have_a_mark_a_pair_and_backbone():
    rows = [
        {"category": "nut", "first": first, "second": second, "backbone": name}
        | {"difference": 0.1 * at, "low": 0.0, "high": 0.5}
        for at, (first, second) in enumerate([("resnet", "autoencoder"), ("combined", "resnet")])
        for name in ("one", "two")
    ]
    (axes,) = charts.differences(pd.DataFrame(rows)).axes
    marks = [line for line in axes.lines if line.get_marker() in "os"]
    assert [round(float(line.get_xdata()[0]), 3) for line in marks] == [0.0, 0.0, 0.1, 0.1]
    said = [text.get_text() for text in axes.get_yticklabels()]
    assert said == ["resnet\nover autoencoder", "combined\nover resnet"]


def test_each_defect_type_has_a_row_with_every_model():
    rows = [
        {"category": "nut", "defect_type": kind, "model": model, "auroc": 0.1 * at}
        for kind in ("bent", "scratch_head")
        for at, model in enumerate(MODELS)
    ]
    (axes,) = charts.by_type(pd.DataFrame(rows), "nut").axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["bent", "scratch head"]
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert marks == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4] * 2)


def test_published_methods_are_grey_and_ours_in_colour():
    rows = [{"method": "FRE (linear)", "metal_nut": 0.9, "screw": 0.8, "source": "somewhere"}]
    rows += [
        {"method": model, "metal_nut": 0.9, "screw": 0.6, "source": "this study"}
        for model in MODELS
    ]
    rows += [{"method": "unknown", "metal_nut": np.nan, "screw": 0.5, "source": "somewhere"}]
    (axes,) = charts.published(pd.DataFrame(rows)).axes
    grey, *ours = [line for line in axes.lines if line.get_marker() in "oD"]
    assert len(grey.get_xdata()) == 1
    assert [line.get_color() for line in ours] == [COLOURS[model] for model in MODELS]
    assert "FRE (linear)" in [text.get_text() for text in axes.texts]

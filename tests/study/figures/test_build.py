import numpy as np
import pytest
from matplotlib.colors import to_hex

from anomalylib.images.category import load_category
from study.figures import build as plots
from study.figures import style as look
from study.names import CONTROL, MODELS, label
from tests.study.drawn import make_result as make


def test_the_histogram_has_every_image_and_says_what_the_threshold_does():
    result = make()
    axes = plots.histogram(result).axes[0]
    assert sum(abs(patch.get_height()) for patch in axes.patches) == len(result.scores)
    lines = [line for line in axes.lines if to_hex(line.get_color()).upper() == look.THRESHOLD]
    assert [list(line.get_xdata()) for line in lines] == [[result.threshold] * 2]
    assert axes.texts[-1].get_text() == "mean + 3σ\nrecall 50%\nfalse alarms 1 of 2"


def test_the_roc_curve_says_its_auroc_and_marks_the_threshold():
    result = make()
    axes = plots.roc([result]).axes[0]
    chance, curve, dot = axes.lines
    assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(result.auroc)
    assert curve.get_label().startswith("ResNet + FeatCAE  0.750  [")
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (0.5, 0.5)
    assert list(chance.get_xdata()) == [0, 1]


def test_no_claim_of_the_report_is_marked_on_a_build():
    texts = plots.ablation_chart([make()]).axes[0].texts
    assert texts and not [text for text in texts if "claimed" in text.get_text()]


def test_the_chart_has_a_panel_a_category_and_a_row_an_model():
    results = [make(model, category=name) for name in ("a", "b") for model in MODELS]
    panels = plots.ablation_chart(results).axes
    assert len(panels) == 2
    assert [text.get_text() for text in panels[0].get_yticklabels()] == [
        *map(label, MODELS),
        label(CONTROL),
    ]
    assert "0.750" in [text.get_text() for text in panels[1].texts]


def test_the_images_shown_are_the_telling_ones():
    scores = [0.1, 0.3, 0.2, 0.9, 0.5]
    result = make(labels=[0, 0, 1, 1, 1], scores=scores, defect_types=["good"] * 2 + ["bent"] * 3)
    assert plots.most_telling(result) == [3, 4, 2, 1]


def test_heat_maps_show_images_over_maps(category_folder):
    test = load_category(category_folder, "bolt").test
    result = make(labels=test.labels.tolist(), defect_types=list(test.defect_types))
    figure = plots.heat_maps(result, test, np.random.default_rng(0).random((4, 8, 8)), side=40)
    assert len(figure.axes) == 8
    assert [len(axes.images) for axes in figure.axes] == [1] * 4 + [2] * 4


def test_every_model_has_its_histogram_in_a_figure_of_its_own():
    figures = plots.histograms([make(model) for model in MODELS])
    titles = [figure.axes[0].get_title(loc="left") for figure in figures]
    assert titles == list(map(label, MODELS))


def test_losses_are_drawn_epoch_by_epoch():
    (line,) = plots.losses([3.0, 2.0, 1.5]).axes[0].lines
    assert list(line.get_xdata()) == [1, 2, 3] and list(line.get_ydata()) == [3.0, 2.0, 1.5]

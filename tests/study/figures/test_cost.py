import pandas as pd
import pytest

from study.figures import cost as speed
from study.figures.style import COLOURS
from study.names import LARGER, MODELS, label
from study.tables import benchmarks
from tests.study.drawn import CATEGORY, EXTRACTION, GROWTH, ONE, PEERS, TRAINING


def test_every_model_has_its_colour_and_the_peer_none_of_theirs():
    peers = pd.DataFrame(PEERS)
    costs = benchmarks.category_costs(pd.DataFrame(CATEGORY), peers)
    (axes,) = speed.category(costs).axes
    assert len(axes.patches) == 2 * len(MODELS) + 1
    left, right = axes.get_xlim()
    assert all(left < bar.get_width() < right for bar in axes.patches)
    assert speed.colour("combined") == COLOURS["combined"]
    assert speed.colour("anomalib, 10%") not in COLOURS.values()
    (axes,) = speed.latency(benchmarks.latencies(pd.DataFrame(ONE), peers)).axes
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names[: len(MODELS)] == list(map(label, MODELS))


def test_speeds_are_drawn_with_their_ratio():
    found = benchmarks.extraction_speeds(pd.DataFrame(EXTRACTION))
    (figure,) = speed.extraction(found)
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [5, 10, 20]
    assert "2.0 times" in axes.texts[1].get_text()


def test_a_model_stands_at_its_time_and_recall_with_its_ceiling_above():
    rows = [
        {"model": model, "variant": variant, "category": part, "milliseconds": 50.0}
        | {"ceiling": 0.9, "recall": recall, "fpr": 0.04}
        for model, variant in (("combined", "plain"), ("patchcore", LARGER))
        for part, recall in (("nut", 0.6), ("bolt", 0.8))
    ]
    (axes,) = speed.recall_and_time(pd.DataFrame(rows)).axes
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_ydata()[0] for line in marks] == pytest.approx([0.9, 0.7] * 2)
    assert {line.get_xdata()[0] for line in marks} == {50.0}
    assert axes.texts[1].get_text() == "PatchCore,\n384 pixels"


def test_training_has_a_line_for_each_recipe():
    (axes,) = speed.training(pd.DataFrame(TRAINING)).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["literal, 32 images a step"].get_xdata().tolist() == [50, 100]
    assert lines["shuffled vectors, float32"].get_color() == COLOURS["combined"]


def test_growth_leaves_other_sizes_and_the_wide_run_out():
    seconds, memory = (figure.axes[0] for figure in speed.growth(pd.DataFrame(GROWTH)))
    assert all(line.get_xdata().tolist() == [100, 400] for line in seconds.get_lines())
    assert len(memory.get_lines()) == 1 + len(MODELS)

import pandas as pd

from study.figures import cost as speed
from study.figures.style import COLOURS
from study.names import MEASURED, plain
from study.tables import benchmarks
from tests.study.drawn import CATEGORY, EXTRACTION, GROWTH, ONE, PEERS, TRAINING


def test_every_model_has_its_colour_and_the_peer_none_of_theirs():
    peers = pd.DataFrame(PEERS)
    costs = benchmarks.category_costs(pd.DataFrame(CATEGORY), peers)
    (axes,) = speed.category(costs).axes
    assert len(axes.patches) == 2 * len(MEASURED) + 1
    left, right = axes.get_xlim()
    assert all(left < bar.get_width() < right for bar in axes.patches)
    assert speed.colour("combined") == COLOURS["combined"]
    assert speed.colour("anomalib, 10%") not in COLOURS.values()
    (axes,) = speed.latency(benchmarks.latencies(pd.DataFrame(ONE), peers)).axes
    assert [label.get_text() for label in axes.get_yticklabels()][: len(MEASURED)] == [
        plain(model) for model in MEASURED
    ]


def test_speeds_are_drawn_with_their_ratio():
    found = benchmarks.extraction_speeds(pd.DataFrame(EXTRACTION))
    (axes,) = speed.extraction(found).axes
    assert [bar.get_width() for bar in axes.patches] == [5, 10, 20]
    assert "2.0 times" in axes.texts[1].get_text()


def test_training_has_a_line_for_each_recipe():
    (axes,) = speed.training(pd.DataFrame(TRAINING)).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["literal, 32 images a step"].get_xdata().tolist() == [50, 100]
    assert lines["shuffled vectors, float32"].get_color() == COLOURS["combined"]


def test_growth_leaves_other_sizes_and_the_wide_run_out():
    seconds, memory = speed.growth(pd.DataFrame(GROWTH)).axes
    assert all(line.get_xdata().tolist() == [100, 400] for line in seconds.get_lines())
    assert len(memory.get_lines()) == 1 + len(MEASURED)

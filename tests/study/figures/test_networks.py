import numpy as np
import pytest

from study.figures import networks
from study.figures.style import COLOURS

STEPS = [
    ("image", (3, 64, 64)),
    ("layer2", (512, 8, 8)),
    ("patches", (64, 512)),
    ("map", (1, 8, 8)),
]


def test_a_flow_shows_every_station_and_ends_in_one_score():
    (axes,) = networks.flow("patchcore", STEPS).axes
    texts = [text.get_text() for text in axes.texts]
    assert texts[0::2] == [name for name, _ in STEPS] + ["score: mean of the ten highest"]
    assert texts[1] == "3 × 64 × 64" and texts[-1] == "1"
    widths = [patch.get_width() for patch in axes.patches if hasattr(patch, "get_width")]
    assert widths[1] == widths[2] == max(widths) and widths[-1] == min(widths)


def left_over(point, bank):
    """By Lagrange's multiplier: weights of the nearest that sum to one, kept small by the ridge."""
    near = bank[np.linalg.norm(bank - point, axis=1).argsort()[: networks.NEIGHBOURS]]  # (k, 2)
    count, ridge = len(near), networks.RIDGE * ((near - point) ** 2).sum(axis=1).mean()
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = near @ near.T + ridge * np.eye(count)
    system[count, count] = 0
    weights = np.linalg.solve(system, [*near @ point, 1])[:count]
    return np.linalg.norm(weights @ near - point)


def test_what_is_left_of_the_points_is_what_the_models_leave():
    normal, judged = networks.patches()
    expected = [left_over(point, normal) for point in judged]
    _, places = networks.rebuilt(normal, judged)
    assert np.linalg.norm(places - judged, axis=1) == pytest.approx(expected, rel=1e-3)
    squeezed = np.linalg.norm(judged - networks.squeezed(normal, judged), axis=1)
    assert squeezed[0] > squeezed[1] / 2 and expected[0] < expected[1] / 2


def test_the_idea_has_a_bar_for_each_point_in_either_panel():
    for axes, model in zip(networks.idea().axes, ("combined", "knn_reconstruction"), strict=True):
        bars = [line for line in axes.lines if line.get_linewidth() == 3.5]
        assert [line.get_color() for line in bars] == [COLOURS[model]] * 2

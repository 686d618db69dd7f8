"""Drawings of how data flow through the models, and of the idea behind kNN reconstruction."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from study.figures import style
from study.figures.style import BLACK, COLOURS, NORMAL, SMALL

NEIGHBOURS, RIDGE = 3, 0.01
"""Of the drawing, where few points stand for many."""
JUDGED = ("rare, but normal", "a defect")
Step = tuple[str, tuple[int, ...]]


def flow(model: str, steps: Sequence[Step]) -> Figure:
    """Stations below each other; a box is as wide as its numbers are many, on a log scale.

    Names and shapes of the `steps` are from `study.runs.shapes`.
    """
    if len(steps[-1][1]) > 1:  # a map, not yet a score
        steps = [*steps, ("score: mean of the ten highest", (1,))]
    figure, (axes,) = style.stack(1, 0.36 * len(steps) + 0.1)
    sizes = np.log([np.prod(shape, dtype=float) for _, shape in steps])
    for y, ((name, shape), size) in enumerate(zip(steps, sizes, strict=True)):
        width, ends = 0.06 + 0.94 * size / sizes.max(), y in (0, len(steps) - 1)
        corner, rounded = (-width / 2, y - 0.27), "round,pad=0,rounding_size=0.02"
        box = FancyBboxPatch(corner, width, 0.54, boxstyle=rounded, mutation_aspect=8)
        box.set(facecolor="#8A8A8A" if ends else COLOURS[model], edgecolor="none", alpha=0.9)
        axes.add_patch(box)
        text = " × ".join(f"{side:,}" for side in shape)
        axes.annotate(name, (0.55, y - 0.14), fontsize=SMALL, va="center", color=BLACK)
        axes.annotate(text, (0.55, y + 0.2), fontsize=SMALL - 1, va="center", color="#5A5A5A")
        if y:
            arrow = FancyArrowPatch((0, y - 0.72), (0, y - 0.3), arrowstyle="-|>", mutation_scale=7)
            arrow.set(color=BLACK, linewidth=0.8)
            axes.add_patch(arrow)
    axes.set(xlim=(-0.53, 1.35), ylim=(len(steps) - 0.5, -0.5))
    axes.set_axis_off()
    return figure


def patches() -> tuple[np.ndarray, np.ndarray]:
    """Normal points (n, 2), most along one line and a few beside it, and two to be judged (2, 2).

    The first to be judged lies among the few, the second where nothing normal is.
    """
    random = np.random.default_rng(1)
    along = np.sort(random.uniform(0, 10, 46))
    common = np.stack([along, 0.25 * along + random.normal(0, 0.12, 46)], axis=1)
    side = np.linspace(0, 1, 7)
    rare = np.stack([2.2 + 2.6 * side, 3.4 + 0.9 * np.sin(2.4 * side)], axis=1)
    return np.concatenate([common, rare]), np.array([[3.7, 4.28], [6.9, 2.9]])


def squeezed(normal: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """What one number a point restores of it: the nearest place of the main direction."""
    mean = normal.mean(axis=0)
    axis = np.linalg.svd(normal - mean, full_matrices=False)[2][:1]  # (1, 2)
    return mean + (judged - mean) @ axis.T @ axis


def rebuilt(normal: np.ndarray, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours of each point (n, k, 2), and the nearest place of what they span (n, 2).

    By the formula of kNN reconstruction, written out for few points.
    """
    order = np.linalg.norm(normal[None] - judged[:, None], axis=2).argsort(axis=1)
    near = normal[order[:, :NEIGHBOURS]]  # (n, k, 2)
    edges = near - judged[:, None]
    gram = edges @ edges.transpose(0, 2, 1)
    level = RIDGE * np.trace(gram, axis1=1, axis2=2) / NEIGHBOURS
    gram += level[:, None, None] * np.eye(NEIGHBOURS)
    weights = np.linalg.solve(gram, np.ones((len(judged), NEIGHBOURS, 1)))
    weights /= weights.sum(axis=1, keepdims=True)
    return near, (weights * near).sum(axis=1)


def idea() -> Figure:
    """One narrow code above, normal neighbours below; the bars are what is left."""
    normal, judged = patches()
    figure, panels = style.stack(2, 2.35, sharex=True)
    near, places = rebuilt(normal, judged)
    line = squeezed(normal, np.array([[-0.3, 0.0], [10.2, 2.6]]))
    panels[0].plot(*line.T, color=COLOURS["combined"], linewidth=1.2)
    for point, neighbours in zip(judged, near, strict=True):
        for other in neighbours:
            panels[1].plot(*np.stack([point, other]).T, color=NORMAL, linewidth=0.8, zorder=0)
    models = {
        "combined": ("combined: through one narrow code", squeezed(normal, judged)),
        "knn_reconstruction": ("kNN reconstruction: from the normal patches near by", places),
    }
    for axes, (model, (title, ends)) in zip(panels, models.items(), strict=True):
        axes.plot(*normal.T, "o", color=NORMAL, markersize=5, alpha=0.7)
        axes.set_title(title, loc="left", color=style.ink(model), fontsize=10)
        axes.set(aspect="equal", ylim=(-0.6, 5.3))
        axes.set_axis_off()
        for point, end, name, marker in zip(judged, ends, JUDGED, "os", strict=True):
            axes.plot(*np.stack([point, end]).T, color=COLOURS[model], linewidth=3.5, zorder=1)
            axes.plot(*point, marker, color=BLACK, markersize=7, zorder=3)
            where = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center"}
            axes.annotate(name, point, fontsize=SMALL, **where)
    return figure

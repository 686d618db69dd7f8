"""The idea of combined+ in one drawing: points in a plane that stand for patches."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalylib.detectors.combined_plus import rebuilding_errors
from study.figures import style as look
from study.figures.style import BLACK, COLOURS, NORMAL, SMALL

NEIGHBOURS, RIDGE = 3, 0.01


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

    Computed by the arm's own formula, written out for few points.
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
    """One narrow code on the left, normal neighbours on the right; the bars are what is left."""
    normal, judged = patches()
    figure, panels = look.stack(2, 2.35, sharex=True)
    for axes, arm, title in (
        (panels[0], "combined", "combined: through one narrow code"),
        (panels[1], "combined_plus", "combined+: from the normal patches near by"),
    ):
        axes.plot(*normal.T, "o", color=NORMAL, markersize=5, alpha=0.7)
        axes.set_title(title, loc="left", color=look.ink(arm), fontsize=10)
        axes.set_aspect("equal")
        axes.set_axis_off()
    ends = squeezed(normal, np.array([[-0.3, 0.0], [10.2, 2.6]]))
    panels[0].plot(*ends.T, color=COLOURS["combined"], linewidth=1.2)
    _left_over(panels[0], judged, squeezed(normal, judged), "combined")
    near, found = rebuilt(normal, judged)
    for point, own in zip(judged, near, strict=True):
        for other in own:
            panels[1].plot(*np.stack([point, other]).T, color=NORMAL, linewidth=0.8, zorder=0)
    _left_over(panels[1], judged, found, "combined_plus")
    return figure


def errors() -> dict[str, np.ndarray]:
    """What is left of the two judged points, by arm."""
    normal, judged = patches()
    near = torch.from_numpy(normal).float()
    rows = torch.from_numpy(judged).float()
    return {
        "combined": np.linalg.norm(judged - squeezed(normal, judged), axis=1),
        "combined_plus": rebuilding_errors(rows, near, NEIGHBOURS, RIDGE).numpy(),
    }


def _left_over(axes: Axes, judged: np.ndarray, found: np.ndarray, arm: str) -> None:
    for point, end, name in zip(judged, found, ("rare, but normal", "a defect"), strict=True):
        axes.plot(*np.stack([point, end]).T, color=COLOURS[arm], linewidth=3.5, zorder=1)
        axes.plot(*point, "s" if name == "a defect" else "o", color=BLACK, markersize=7, zorder=3)
        where = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center"}
        axes.annotate(name, point, fontsize=SMALL, **where)
    axes.set_ylim(-0.6, 5.3)

"""The study's signature: scores as a histogram with the threshold as a red line."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter

from study.figures import style
from study.figures.style import BLACK, COLOURS, DIM, NORMAL, SMALL, THRESHOLD

SOLID = {"alpha": 1, "linewidth": 0.5, "edgecolor": "white"}


def histogram(
    axes: Axes,
    model: str,
    scores: np.ndarray,
    labels: np.ndarray,
    threshold: float,
    note: str,
    learned: np.ndarray | None = None,
    binned: tuple[np.ndarray, str] | None = None,
) -> None:
    """Anomalous test images upwards, normal ones downwards, the threshold as a red line.

    Parameters
    ----------
    model : str
        Its colour is that of the anomalous images.
    scores, labels : ndarray, shape (N,)
    note : str
        What stands beside the red line.
    learned : ndarray, shape (M,), optional
        Scores that the threshold comes from: an outline downwards, as high as if
        there were as many of them as of normal test images.
    binned : tuple, optional
        Edges and scale, where several panels share them; see `style.bins`.
    """
    everything = np.concatenate([scores, [threshold], [] if learned is None else learned])
    edges, scale = binned or style.bins(everything)
    axes.set_xscale(scale)
    table = pd.DataFrame({"score": scores, "label": labels, "up": np.where(labels, 1, -1)})
    common = {"x": "score", "weights": "up", "ax": axes, "legend": False}
    for label, colour in ((1, COLOURS[model]), (0, NORMAL)):
        bars(table[table.label == label], edges, scale, color=colour, **common, **SOLID)
    normal = int((labels == 0).sum())
    counts = [(f"▼ {normal} normal", DIM)]
    if normal < len(labels):
        counts.insert(0, (f"▲ {len(labels) - normal} anomalous", style.ink(model)))
    if learned is not None:
        outline = pd.DataFrame({"score": learned, "up": -normal / len(learned)})
        line = {"element": "step", "fill": False, "color": BLACK, "linewidth": 1}
        bars(outline, edges, scale, **common, **line)
        counts.append((f"outline: {len(learned)} normal", BLACK))
    style.words(axes, counts)
    axes.axhline(0, color=BLACK, linewidth=0.8)
    bottom, top = axes.get_ylim()
    axes.set_ylim(top=max(1.7 * top, -0.6 * bottom))  # room for the note above the bars
    axes.axvline(threshold, color=THRESHOLD, linewidth=2)
    low, high, place = (np.log if scale == "log" else np.array)([*edges[[0, -1]], threshold])
    side = "left" if place - low < (high - low) / 2 else "right"
    look = {"color": THRESHOLD, "fontsize": SMALL, "va": "top", "ha": side}
    where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    axes.annotate(note, (threshold, 0.97), (5 if side == "left" else -5, 0), **where, **look)
    lowest = axes.get_subplotspec().is_last_row()
    axes.set_xlabel(f"score, {scale} scale (higher = more anomalous)" if lowest else "")
    axes.set_ylabel("images")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(lambda count, _: f"{abs(count):.0f}")
    if scale == "log":
        axes.xaxis.set_minor_formatter(NullFormatter())


def bars(table: pd.DataFrame, edges: np.ndarray, scale: str, **options) -> None:
    """Seaborn's histogram; on a log axis it takes edges as exponents of ten."""
    if len(table):
        edges = np.log10(edges) if scale == "log" else edges
        sns.histplot(table, bins=list(edges), **options)

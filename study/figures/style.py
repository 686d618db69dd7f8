"""The one look of all figures: colours, sizes, and the histogram with its red line."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from study.names import CONTROL, plain

# Okabe and Ito's palette and Tol's wine, distinct for the colour-blind.
COLOURS = {
    "autoencoder": "#E69F00",
    "resnet": "#56B4E9",
    "combined": "#0072B2",
    "patchcore": "#009E73",
    "combined_plus": "#882255",
    CONTROL: "#767676",
}
"""An arm keeps its colour through the whole book."""
GREY = COLOURS[CONTROL]
NORMAL, THRESHOLD, BLACK = "#9A9A9A", "#D00000", "#262626"
WIDTH = 4.8
"""Inches. A phone shows it at three quarters of its size, where 9 pt is still readable."""
SMALL = 9

sns.set_theme(
    context="notebook",
    style="ticks",
    rc={
        "figure.dpi": 160,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 10,
        "axes.labelsize": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "svg.hashsalt": "anomalylib",
    },
)


def ink(name: str) -> tuple[float, float, float]:
    """The colour of an arm or control, dark enough for text on white."""
    return darker(COLOURS.get(name, GREY), 0.62 if name in ("autoencoder", "resnet") else 0.8)


def darker(colour: str, share: float = 0.62) -> tuple[float, float, float]:
    """A colour at a share of its brightness."""
    red, green, blue = to_rgb(colour)
    return red * share, green * share, blue * share


def stack(rows: int, height: float, **options) -> tuple[Figure, np.ndarray]:
    """A figure of panels below each other, `height` inches each."""
    figure, axes = grid(rows, 1, height, **options)
    return figure, axes[:, 0]


def grid(rows: int, columns: int, height: float, **options) -> tuple[Figure, np.ndarray]:
    """A figure of panels in rows and columns, `height` inches a row."""
    size = (WIDTH, height * rows)
    return plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)


def row(columns: int, height: float, **options) -> tuple[Figure, np.ndarray]:
    """A figure of panels side by side."""
    figure, axes = grid(1, columns, height, **options)
    return figure, axes[0]


def words(axes: Axes, parts: Sequence[tuple[str, object]]) -> None:
    """Coloured words in one line above a panel: a legend without a key."""
    last = None
    for text, colour in parts:
        where = {"xy": (1, 0), "xycoords": last} if last else {"xy": (0, 1.02)}
        if last is None:
            where["xycoords"] = "axes fraction"
        style = {"color": colour, "fontsize": SMALL, "va": "bottom", "annotation_clip": False}
        last = axes.annotate(text if last is None else f"   {text}", **where, **style)


def arm_key(figure: Figure, arms: Sequence[str], marker: str = "o") -> None:
    """What the colours of a figure with all arms stand for, below it."""
    style = {"linestyle": "", "marker": marker, "markersize": 7}
    handles = [plt.Line2D([], [], color=COLOURS[arm], label=plain(arm), **style) for arm in arms]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handletextpad=0.1)


def bins(values: np.ndarray, count: int = 24) -> tuple[np.ndarray, str]:
    """Edges of bins over the values; logarithmic where a few lie far above the rest."""
    low, high = values.min(), values.max()
    if low > 0 and high > 10 * np.median(values):
        return np.geomspace(low, high * (1 + 1e-9), count + 1), "log"
    return np.linspace(low, high, count + 1), "linear"


def histogram(
    axes: Axes,
    arm: str,
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
    axes : Axes
    arm : str
        Its colour is that of the anomalous images.
    scores, labels : ndarray, shape (N,)
    threshold : float
    note : str
        What stands beside the red line.
    learned : ndarray, optional
        Nominal scores that the threshold comes from: an outline downwards, as
        high as if there were as many of them as of normal test images.
    binned : tuple, optional
        Edges and scale, where several panels share them; see `bins`.
    """
    everything = np.concatenate([scores, [threshold], [] if learned is None else learned])
    edges, scale = binned or bins(everything)
    for label, colour in ((1, COLOURS[arm]), (0, NORMAL)):
        own = scores[labels == label]
        up = np.full(len(own), 1 if label else -1)
        axes.hist(own, edges, weights=up, color=colour, linewidth=0.5, edgecolor="white")
    normal = int((labels == 0).sum())
    counts = [(f"▼ {normal} normal", "#6A6A6A")]
    if normal < len(labels):
        counts.insert(0, (f"▲ {len(labels) - normal} anomalous", ink(arm)))
    if learned is not None:
        down = np.full(len(learned), -normal / len(learned))
        axes.hist(learned, edges, weights=down, histtype="step", color=BLACK, linewidth=1)
        counts.append((f"outline: {len(learned)} nominal", BLACK))
    words(axes, counts)
    axes.axhline(0, color=BLACK, linewidth=0.8)
    axes.set_xscale(scale)
    bottom, top = axes.get_ylim()
    axes.set_ylim(top=max(1.7 * top, -0.6 * bottom))  # room for the note above the bars
    axes.axvline(threshold, color=THRESHOLD, linewidth=2)
    low, high = np.log(edges[[0, -1]]) if scale == "log" else edges[[0, -1]]
    place = np.log(threshold) if scale == "log" else threshold
    side = "left" if place - low < (high - low) / 2 else "right"
    style = {"color": THRESHOLD, "fontsize": SMALL, "va": "top", "ha": side}
    gap = (5 if side == "left" else -5, 0)
    axes.annotate(
        note,
        (threshold, 0.97),
        gap,
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        **style,
    )
    axes.set(xlabel=f"score, {scale} scale (higher = more anomalous)", ylabel="images")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(lambda count, _: f"{abs(count):.0f}")
    if scale == "log":
        axes.xaxis.set_minor_formatter(NullFormatter())


def chance_diagonal(axes: Axes) -> None:
    """The frame of a ROC figure: square, with the line of guessing."""
    axes.plot([0, 1], [0, 1], color="#B0B0B0", linestyle=":", linewidth=1)
    axes.annotate("chance", (0.62, 0.6), rotation=45, color="#6A6A6A", fontsize=SMALL, va="top")
    axes.set(xlabel="false-positive rate", ylabel="recall", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")


def roc_key(figure: Figure, axes: Axes) -> None:
    """Name the curves below the panel, each in its colour."""
    handles, names = axes.get_legend_handles_labels()
    key = figure.legend(handles, names, loc="outside lower center", ncols=1, title="AUROC")
    key.get_title().set_fontsize(SMALL)
    arms = {plain(arm): arm for arm in COLOURS}
    for text, name in zip(key.get_texts(), names, strict=True):
        text.set_color(ink(arms.get(name.split()[0], "")))

"""The one look of all figures: colours, sizes, panels, a dot with its interval, keys."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import NullFormatter

from study.names import CONTROL, MEASURED, label, plain

PALETTE = ("#E69F00", "#56B4E9", "#0072B2", "#009E73", "#882255", "#CC79A7", "#D55E00")
"""Okabe and Ito's colours and Tol's wine, distinct for the colour-blind."""
COLOURS = dict(zip(MEASURED, PALETTE, strict=False)) | {CONTROL: "#767676"}
"""A model keeps its colour through the whole book: the colours go by the registry's order."""
GREY = COLOURS[CONTROL]
NORMAL, THRESHOLD, BLACK, DIM = "#9A9A9A", "#D00000", "#262626", "#6A6A6A"
ANOMALOUS = "#CC79A7"
"""Anomalous images where no model is meant."""
MARKERS = "osD^v"
WIDTH = 4.8
"""Inches. A phone shows it at three quarters of its size, where 9 pt is still readable."""
PANEL = 4.0
"""Inches of one of several panels."""
SMALL = 9
RC = {
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
}


def ink(name: str) -> tuple[float, float, float]:
    """The colour of a model or control, dark enough for text on white."""
    return darker(COLOURS.get(name, GREY), 0.62 if name in ("autoencoder", "resnet") else 0.8)


def darker(colour: str, share: float = 0.62) -> tuple[float, float, float]:
    """A colour at a share of its brightness."""
    red, green, blue = to_rgb(colour)
    return red * share, green * share, blue * share


def grid(rows: int, columns: int, height: float, **options) -> tuple[Figure, np.ndarray]:
    """A figure of panels in rows and columns, `height` inches a row, in the book's look."""
    sns.set_theme(context="notebook", style="ticks", rc=RC)
    size = (WIDTH, height * rows)
    return plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)


def stack(rows: int, height: float, **options) -> tuple[Figure, np.ndarray]:
    """A figure of panels below each other."""
    figure, axes = grid(rows, 1, height, **options)
    return figure, axes[:, 0]


def separate(count: int, height: float, width: float = PANEL) -> list[Axes]:
    """Panels that are figures of their own, which a page sets side by side where there is room."""
    sns.set_theme(context="notebook", style="ticks", rc=RC)
    size = (width, height)
    return [plt.subplots(figsize=size, layout="constrained")[1] for _ in range(count)]


def bare(rows: int, columns: int, height: float) -> tuple[Figure, np.ndarray]:
    """A figure of panels without axes, for images."""
    figure, panels = grid(rows, columns, height)
    for axes in panels.ravel():
        axes.set_axis_off()
    return figure, panels


def by_category(
    names: Sequence[str], height: float, across: bool = False, pad: float | None = None, **options
) -> tuple[Figure, list[tuple[str, Axes]]]:
    """A figure with a titled panel a category, below each other or side by side."""
    rows, columns = (1, len(names)) if across else (len(names), 1)
    figure, panels = grid(rows, columns, height, **options)
    pairs = list(zip(names, panels.ravel(), strict=True))
    for name, axes in pairs:
        axes.set_title(plain(name), loc="left", pad=pad)
    return figure, pairs


def interval(
    axes: Axes,
    at: float,
    value: float,
    ends: tuple[float, float],
    colour: str,
    marker: str = "o",
    *,
    upright: bool = False,
    size: float = 7,
    **style,
) -> None:
    """A dot with its interval, in a row of its own, or upright in a column."""
    low, high = np.abs(np.array(ends) - value)
    errors = {"yerr" if upright else "xerr": [[low], [high]]}
    where = (at, value) if upright else (value, at)
    axes.errorbar(*where, **errors, fmt=marker, color=colour, markersize=size, lw=2, **style)


def name_rows(axes: Axes, names: Sequence[str], room: float = 0.6, texts=None) -> None:
    """One row a name, the first on top, the names in their colours."""
    usual = [label(name) if name in COLOURS else plain(name) for name in names]
    axes.set_yticks(range(len(names)), texts or usual)
    axes.set_ylim(len(names) - 0.4, -room)
    for tick, name in zip(axes.get_yticklabels(), names, strict=True):
        tick.set_color(ink(name) if name in COLOURS else BLACK)


def auroc_rows(axes: Axes, names: Sequence[str]) -> None:
    """A panel with one row a name, from 0 to 1, and the line of chance."""
    name_rows(axes, names, room=1)
    level(axes, 0.5, upright=True)
    axes.annotate("chance", (0.51, -0.75), color=DIM, fontsize=SMALL, va="center")
    axes.set_xlim(0, 1.02)


def at_end(axes: Axes, name: str, text: str, y: float) -> None:
    """A text at the right end of a row, in the row's colour."""
    where = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
    axes.annotate(text, (1.02, y), color=ink(name), fontsize=SMALL, **where)


def banded(axes: Axes, count: int) -> None:
    """Every second row on a faint ground."""
    for y in range(0, count, 2):
        axes.axhspan(y - 0.5, y + 0.5, color="#F3F3F3", zorder=-2)


def level(axes: Axes, value: float, upright: bool = False, style: str = ":") -> None:
    """A faint line at a value that others are compared with."""
    (axes.axvline if upright else axes.axhline)(value, color=GREY, linestyle=style, linewidth=1)


def words(axes: Axes, parts: Sequence[tuple[str, object]]) -> None:
    """Coloured words in one line above a panel: a legend without a key."""
    xy, beside, gap = (0, 1.02), "axes fraction", ""
    style = {"fontsize": SMALL, "va": "bottom", "annotation_clip": False}
    for text, colour in parts:
        last = axes.annotate(f"{gap}{text}", xy, xycoords=beside, color=colour, **style)
        xy, beside, gap = (1, 0), last, "   "


def key(figure: Figure, marks: Mapping[str, Mapping | str], columns: int = 1, **options) -> None:
    """What marks stand for, below the figure: a text and its style, or its marker alone."""
    usual = {"color": "#444444", "linestyle": "", "marker": "o"}
    handles = []
    for text, style in marks.items():
        own = {"marker": style} if isinstance(style, str) else dict(style)
        handles.append(plt.Line2D([], [], label=text, **usual | own))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, **options)


def model_key(figure: Figure, models: Sequence[str], marker: str = "o") -> None:
    """What the colours of a figure with all models stand for, below it."""
    marks = {label(m): {"color": COLOURS[m], "marker": marker, "markersize": 7} for m in models}
    columns = 3 if figure.get_figwidth() > PANEL else 2
    key(figure, marks, columns=columns, handletextpad=0.1)


def bins(values: np.ndarray, count: int = 24) -> tuple[np.ndarray, str]:
    """Edges of bins over the values; logarithmic where a few lie far above the rest."""
    low, high = values.min(), values.max()
    if low > 0 and high > 10 * np.median(values):
        return np.geomspace(low, high * (1 + 1e-9), count + 1), "log"
    return np.linspace(low, high, count + 1), "linear"


def plain_numbers(axes: Axes, which: str, label: str = "") -> None:
    """A logarithmic axis, ``"x"`` or ``"y"``, with plain numbers."""
    axes.set(**{f"{which}scale": "log"} | ({f"{which}label": label} if label else {}))
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def roc_frame(axes: Axes) -> None:
    """The frame of a ROC figure: square, with the line of guessing."""
    axes.plot([0, 1], [0, 1], color="#B0B0B0", linestyle=":", linewidth=1)
    axes.annotate("chance", (0.62, 0.6), rotation=45, color=DIM, fontsize=SMALL, va="top")
    axes.set(xlabel="false-positive rate", ylabel="recall", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")


def legend_below(figure: Figure, axes: Axes, columns: int = 1, **options) -> Legend:
    """What is labelled in a panel, named below the figure."""
    labelled = axes.get_legend_handles_labels()
    return figure.legend(*labelled, loc="outside lower center", ncols=columns, **options)


def roc_key(figure: Figure, axes: Axes) -> None:
    """Name the curves below the panel, each in its colour."""
    legend = legend_below(figure, axes, title="AUROC", title_fontsize=SMALL)
    models = {label(model): model for model in COLOURS}
    for text in legend.get_texts():
        text.set_color(ink(models.get(text.get_text().partition("  ")[0], "")))


def image(axes: Axes, pixels: np.ndarray, title: str = "", colour: str = BLACK, **style) -> None:
    """An image without axes; its title may be a file's name, which is no formula."""
    axes.imshow(pixels)
    axes.set_axis_off()
    usual = {"fontsize": SMALL, "fontweight": "normal", "color": colour, "parse_math": False}
    axes.set_title(title, **usual | style)


def outline(axes: Axes, mask: np.ndarray | None, colour: str = "white") -> None:
    """The border of a mask, where there is any."""
    if mask is not None and mask.any():
        axes.contour(mask, levels=[0.5], colors=colour, linewidths=1)


def strewn(axes: Axes, groups: Mapping[str, np.ndarray], colours: Sequence[str]) -> None:
    """A dot a value, a row a group, strewn within the row so that few hide others."""
    random = np.random.default_rng(0)
    for y, (values, colour) in enumerate(zip(groups.values(), colours, strict=True)):
        places = y + random.uniform(-0.25, 0.25, len(values))
        axes.plot(values, places, "osD"[y], color=colour, markersize=4, alpha=0.75)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_ylim(len(groups) - 0.4, -0.6)


def beside(axes: Axes, text: str, name: str) -> None:
    """A text at the left of a panel without axes, in the colour of a model."""
    where = {"xycoords": "axes fraction", "rotation": 90, "ha": "right", "va": "center"}
    axes.annotate(text, (-0.06, 0.5), color=ink(name), fontsize=SMALL, **where)

"""How much of each AUROC survives without the light, and how the light of a part changes."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures import style
from study.figures.style import ANOMALOUS, BLACK, COLOURS, DIM, GREY, SMALL
from study.names import CONTROL, MODELS, label, plain

KINDS = {
    "plain": ("o", "as measured"),
    "normalised": ("D", "all images at one mean grey value"),
    "grey": ("^", "adjusted for the mean grey value"),
    "contrast": ("v", "adjusted for the contrast"),
}
"""Marker and name of each AUROC of `study.tables.light.survival`."""


def survival(table: pd.DataFrame) -> Figure:
    """Every model's AUROC on every part as measured, and without the light: a line a model.

    `table` is of `study.tables.light.survival`. A missing mark is not identified or not measured.
    """
    rows = table[table.variant == "plain"]
    names = list(rows.category.unique())
    models = [model for model in MODELS if model in set(rows.model)]
    figure, (axes,) = style.stack(1, 0.95 * len(names) + 1.3)
    shifts = dict(zip(models, np.linspace(-0.34, 0.34, len(models)), strict=True))
    style.banded(axes, len(names))
    for row in rows.to_dict("records"):
        y, colour = names.index(row["category"]) + shifts[row["model"]], COLOURS[row["model"]]
        values = [row[kind] for kind in KINDS]
        axes.plot([np.nanmin(values), np.nanmax(values)], [y, y], color=colour, lw=1, zorder=0)
        for kind, (marker, _) in KINDS.items():
            filled = {} if kind == "plain" else {"markerfacecolor": "white"}
            axes.plot(row[kind], y, marker, color=colour, markersize=5, **filled)
    style.name_rows(axes, names)
    axes.set(xlim=(0, 1.02), ylim=(len(names) - 0.5, -0.5), xlabel="image-level AUROC")
    style.level(axes, 0.5, upright=True)
    marks = {label(model): {"color": COLOURS[model]} for model in models}
    hollow = {"markerfacecolor": "white"}
    for kind, (marker, text) in KINDS.items():
        marks[text] = {"marker": marker} | ({} if kind == "plain" else hollow)
    style.key(figure, marks, columns=2)
    return figure


def slopes(table: pd.DataFrame) -> Figure:
    """Every model's AUROC as measured and with all images at one mean grey: a panel a part.

    `table` is of `study.tables.comparisons.between_variants`, of the same seeds on both sides.
    """
    names = list(table.category.unique())
    columns = 4
    figure, panels = style.grid(-(-len(names) // columns), columns, 2.1, sharey=True, sharex=True)
    for axes in panels.ravel()[len(names) :]:
        axes.set_axis_off()
    for name, axes in zip(names, panels.ravel(), strict=False):
        for row in table[table.category == name].itertuples():
            colour = COLOURS.get(row.model, GREY)
            line = "o--" if row.model == CONTROL else "o-"
            axes.plot([0, 1], [row.before, row.after], line, color=colour, markersize=4)
        style.level(axes, 0.5)
        axes.set_title(plain(name), loc="left", fontsize=SMALL)
        axes.set(xlim=(-0.25, 1.25), ylim=(0, 1.03))
        axes.set_xticks([0, 1], ["as\nmeasured", "one mean\ngrey"], fontsize=SMALL - 2)
        axes.tick_params(labelbottom=True)
    figure.supylabel("image-level AUROC", fontsize=10)
    models = dict.fromkeys(table.model)
    style.key(figure, {label(m): {"color": COLOURS.get(m, GREY)} for m in models}, columns=3)
    return figure


def shift(light: pd.DataFrame) -> Figure:
    """The mean grey value of every image, in training and in test: a band a part."""
    names = list(light.category.unique())
    figure, (axes,) = style.stack(1, 0.75 * len(names) + 1)
    groups = {"train, normal": ("train", 0), "test, normal": ("test", 0)}
    groups["test, anomalous"] = ("test", 1)
    colours = (DIM, BLACK, ANOMALOUS)
    random = np.random.default_rng(0)  # of the place across a row alone
    for y, name in enumerate(names):
        own = light[light.category == name]
        for at, ((split, kind), colour) in enumerate(zip(groups.values(), colours, strict=True)):
            grey = own.mean_grey[(own.split == split) & (own.label == kind)]
            place = y + 0.27 * (at - 1) + random.uniform(-0.08, 0.08, len(grey))
            axes.plot(grey, place, ".", color=colour, markersize=3, alpha=0.6)
    style.name_rows(axes, names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="mean grey value of the image")
    marks = {text: {"color": colour} for text, colour in zip(groups, colours, strict=True)}
    style.key(figure, marks, columns=3, handletextpad=0.1)
    axes.tick_params(labelsize=SMALL)
    return figure

"""How much of each AUROC survives without the light, and how the light of a part changes."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures import style
from study.figures.style import ANOMALOUS, BLACK, COLOURS, DIM, SMALL
from study.names import MEASURED, plain

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
    models = [model for model in MEASURED if model in set(rows.model)]
    figure, (axes,) = style.stack(1, 0.95 * len(names) + 1.3)
    shifts = dict(zip(models, np.linspace(-0.34, 0.34, len(models)), strict=True))
    for y in range(0, len(names), 2):
        axes.axhspan(y - 0.5, y + 0.5, color="#F3F3F3", zorder=-2)
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
    marks = {plain(model): {"color": COLOURS[model]} for model in models}
    hollow = {"markerfacecolor": "white"}
    for kind, (marker, text) in KINDS.items():
        marks[text] = {"marker": marker} | ({} if kind == "plain" else hollow)
    style.key(figure, marks, columns=2)
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
        for at, ((split, label), colour) in enumerate(zip(groups.values(), colours, strict=True)):
            grey = own.mean_grey[(own.split == split) & (own.label == label)]
            place = y + 0.27 * (at - 1) + random.uniform(-0.08, 0.08, len(grey))
            axes.plot(grey, place, ".", color=colour, markersize=3, alpha=0.6)
    style.name_rows(axes, names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="mean grey value of the image")
    marks = {text: {"color": colour} for text, colour in zip(groups, colours, strict=True)}
    style.key(figure, marks, columns=3, handletextpad=0.1)
    axes.tick_params(labelsize=SMALL)
    return figure

"""The figure of the learning curve."""

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from study.figures import style
from study.figures.style import COLOURS
from study.names import plain
from study.tables.learning_curve import summarise


class Panel(NamedTuple):
    """What a panel draws, what it is called, and where its dotted line is."""

    column: str
    label: str
    level: float


PANELS = (
    Panel("auroc", "image-level AUROC", 0.5),
    Panel("unlearned", "false alarms,\nimages not learned", 0),
    Panel("relative", "threshold ÷ its mean\nwith all images", 1),
)
STEP = 0.14
"""Between the models at one size, in units of the distance between two sizes."""


def curve(table: pd.DataFrame) -> Figure:
    """AUROC, false alarms on images not learned from, and the threshold, by size.

    `table` is of one category; see `summarise`. Without an AUROC its panel is left out.
    """
    whole = table[table.images == table.train_images].groupby("arm").threshold.mean()
    drawn = _with_rate(table).assign(relative=table.threshold / table.arm.map(whole))
    panels = [panel for panel in PANELS if drawn[panel.column].notna().any()]
    figure, stack = style.stack(len(panels), 1.9, sharex=True)
    models = [model for model in COLOURS if model in set(table.arm)]
    sizes, summary = sorted(table.images.unique()), summarise(table)
    for panel, axes in zip(panels, stack, strict=True):
        style.level(axes, panel.level)
        for number, model in enumerate(models):
            shift = STEP * (number - (len(models) - 1) / 2)
            _dots(axes, drawn[drawn.arm == model], panel.column, sizes, shift)
            if panel.column == "unlearned":
                _bounds(axes, summary[summary.arm == model], sizes, shift)
                axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_ylabel(panel.label)
    total = table.train_images.iloc[0]
    axes.set_xticks(range(len(sizes)), [f"all {n}" if n == total else n for n in sizes])
    axes.set_xlabel("normal images learned from")
    style.words(stack[0], [(f"● {plain(model)}", style.ink(model)) for model in models])
    return figure


def equal_training(table: pd.DataFrame, equal: pd.DataFrame) -> Figure:
    """One model with as many passes at every size, and with as many steps as with all."""
    categories = list(dict.fromkeys(table.category))
    figure, panels = style.grid(2, len(categories), 1.9, sharex="col", sharey="row")
    for category, column in zip(categories, panels.T, strict=True):
        passes, steps = (rows[rows.category == category] for rows in (table, equal))
        sizes, total = sorted(passes.images.unique()), passes.train_images.iloc[0]
        for panel, axes in zip(PANELS[:2], column, strict=True):
            style.level(axes, panel.level)
            _dots(axes, _with_rate(passes), panel.column, sizes, -STEP / 2)
            _dots(axes, _with_rate(steps), panel.column, sizes, STEP / 2, hollow=True)
        column[0].set_title(plain(category))
        column[1].set_xticks(range(len(sizes)), [f"all\n{n}" if n == total else n for n in sizes])
    for panel, axes in zip(PANELS, panels[:, 0], strict=False):
        axes.set_ylabel(panel.label)
    panels[1, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.supxlabel("normal images learned from", fontsize=10)
    return figure


def _with_rate(table: pd.DataFrame) -> pd.DataFrame:
    """With the rate of false alarms on images not learned from; not a number where none are."""
    unlearned = table.n_unlearned.where(table.n_unlearned > 0)
    return table.assign(unlearned=table.unlearned_alarms / unlearned)


def _dots(
    axes: Axes,
    fits: pd.DataFrame,
    column: str,
    sizes: list[int],
    shift: float,
    hollow: bool = False,
) -> None:
    """One seed a faint dot, and a line through the mean of each size."""
    marks = {"color": COLOURS[fits.arm.iloc[0]], "markersize": 5}
    axes.plot([sizes.index(n) + shift for n in fits.images], fits[column], ".", alpha=0.4, **marks)
    means = fits.groupby("images")[column].mean()
    marks |= {"markerfacecolor": "white", "linestyle": "--"} if hollow else {"linestyle": "-"}
    places = [sizes.index(n) + shift for n in means.index]
    axes.plot(places, means, marker="o", linewidth=1.4, **marks)


def _bounds(axes: Axes, summary: pd.DataFrame, sizes: list[int], shift: float) -> None:
    """From each mean rate up to its bound."""
    for row in summary.itertuples():
        place, colour = sizes.index(row.images) + shift, COLOURS[row.arm]
        ends = [row.unlearned_rate, row.unlearned_bound]
        axes.plot([place, place], ends, color=colour, linewidth=0.9)
        axes.plot(place, row.unlearned_bound, "_", color=colour, markersize=6)

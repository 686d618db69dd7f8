"""The figure of the learning curve."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from study.figures import style
from study.figures.style import COLOURS
from study.names import plain
from study.tables.learning_curve import summarise

PANELS = {
    "auroc": ("image-level AUROC", 0.5),
    "unlearned": ("false alarms,\nimages not learned", 0),
    "relative": ("threshold ÷ its mean\nwith all images", 1),
}
"""What a panel draws, what it is called, and where its dotted line is."""
STEP = 0.14
"""Between the models at one size, in units of the distance between two sizes."""


def curve(table: pd.DataFrame) -> list[Figure]:
    """AUROC, false alarms on images not learned from, and the threshold, by size.

    `table` is of one category; see `summarise`. Without an AUROC its panel is left out.
    """
    whole = table[table.images == table.train_images].groupby("model").threshold.mean()
    sizes, total = sorted(table.images.unique()), table.train_images.iloc[0]
    drawn = _placed(table, sizes).assign(relative=table.threshold / table.model.map(whole))
    summary = summarise(table)
    summary["place"] = summary.images.map(sizes.index)
    columns = [column for column in PANELS if drawn[column].notna().any()]
    panels = style.separate(len(columns), 2.7)
    models = [model for model in COLOURS if model in set(table.model)]
    for column, axes in zip(columns, panels, strict=True):
        title, level = PANELS[column]
        style.level(axes, level)
        for number, model in enumerate(models):
            shift = STEP * (number - (len(models) - 1) / 2)
            _dots(axes, drawn[drawn.model == model], column, shift)
            if column == "unlearned":
                _bounds(axes, summary[summary.model == model], shift)
                axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_ylabel(title)
        axes.set_xticks(range(len(sizes)), [f"all\n{n}" if n == total else n for n in sizes])
        axes.set_xlabel("normal images learned from")
        style.model_key(axes.figure, models)
    return [axes.figure for axes in panels]


def equal_training(table: pd.DataFrame, equal: pd.DataFrame) -> Figure:
    """One model with as many passes at every size, and with as many steps as with all."""
    categories = list(dict.fromkeys(table.category))
    figure, panels = style.grid(2, len(categories), 1.9, sharex="col", sharey="row")
    for category, column in zip(categories, panels.T, strict=True):
        passes, steps = (rows[rows.category == category] for rows in (table, equal))
        sizes, total = sorted(passes.images.unique()), passes.train_images.iloc[0]
        for name, axes in zip(PANELS, column, strict=False):
            style.level(axes, PANELS[name][1])
            _dots(axes, _placed(passes, sizes), name, -STEP / 2)
            _dots(axes, _placed(steps, sizes), name, STEP / 2, hollow=True)
        column[0].set_title(plain(category))
        column[1].set_xticks(range(len(sizes)), [f"all\n{n}" if n == total else n for n in sizes])
    for (title, _), axes in zip(PANELS.values(), panels[:, 0], strict=False):
        axes.set_ylabel(title)
    panels[1, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.supxlabel("normal images learned from", fontsize=10)
    return figure


def _placed(table: pd.DataFrame, sizes: list[int]) -> pd.DataFrame:
    """With the place of its size, and the rate of false alarms where images were not learned."""
    unlearned = table.n_unlearned.where(table.n_unlearned > 0)
    rate = table.unlearned_alarms / unlearned
    return table.assign(place=table.images.map(sizes.index), unlearned=rate)


def _dots(axes: Axes, fits: pd.DataFrame, column: str, shift: float, hollow: bool = False) -> None:
    """One seed a faint dot, and a line through the mean of each size."""
    marks = {"color": COLOURS[fits.model.iloc[0]], "markersize": 5}
    axes.plot(fits.place + shift, fits[column], ".", alpha=0.4, **marks)
    means = fits.groupby("place")[column].mean()
    marks |= {"markerfacecolor": "white", "linestyle": "--"} if hollow else {"linestyle": "-"}
    axes.plot(means.index + shift, means, marker="o", linewidth=1.4, **marks)


def _bounds(axes: Axes, summary: pd.DataFrame, shift: float) -> None:
    """From each mean rate up to its bound."""
    for row in summary.itertuples():
        place, colour = row.place + shift, COLOURS[row.model]
        ends = [row.unlearned_rate, row.unlearned_bound]
        axes.plot([place, place], ends, color=colour, linewidth=0.9)
        axes.plot(place, row.unlearned_bound, "_", color=colour, markersize=6)

"""The figure of the learning curve, and the figures of its table."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from anomalylib.metrics import intervals
from study.figures import style as look
from study.figures.style import COLOURS, GREY
from study.names import plain

NARROW = "\u00a0"
"""A space at which no line is broken."""


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
GROUP = ["category", "arm", "backbone", "images"]
STEP = 0.14
"""Between the arms at one size, in units of the distance between two sizes."""


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """One row a category, arm and size, over its seeds.

    Parameters
    ----------
    table : DataFrame
        Rows of `study.runs.learning_curve.Judged.row`, with category, arm, backbone and seed.

    Returns
    -------
    DataFrame
        ``spread`` is the deviation of the threshold over seeds as a share of
        its mean, ``swing`` its highest value by its lowest, ``ratio`` its mean
        as a share of the mean with all images. ``unlearned_rate`` is the rate
        of false alarms on the training images not learned from; its bound is
        Clopper and Pearson's, one-sided 95 %, at the mean count rounded up.
        Where there is nothing to count: not a number.
    """
    rows = []
    for key, own in table.groupby(GROUP, sort=False):
        first, auroc, threshold = own.iloc[0], own.auroc, own.threshold
        rows.append(
            dict(zip(GROUP, key, strict=True))
            | {"train_images": first.train_images, "n_seeds": len(own)}
            | {"auroc_mean": auroc.mean(), "auroc_sd": auroc.std(), "auroc_low": auroc.min()}
            | {"threshold_mean": threshold.mean(), "spread": threshold.std() / threshold.mean()}
            | {"swing": threshold.max() / threshold.min()}
            | {"n_unlearned": first.n_unlearned}
            | _rate("unlearned", own.unlearned_alarms, first.n_unlearned)
            | _rate("test", own.false_alarms, first.n_normal)
            | {"recall": own.hits.mean() / first.n_anomalous if first.n_anomalous else np.nan}
        )
    made = pd.DataFrame(rows)
    arms = ["category", "arm"]
    whole = made[made.images == made.train_images].set_index(arms).threshold_mean
    made["ratio"] = made.threshold_mean / made.set_index(arms).index.map(whole)
    return made.sort_values(GROUP, ignore_index=True)


def _rate(name: str, alarms: pd.Series, total: int) -> dict[str, float]:
    """Rate of false alarms, mean over seeds, with its bound."""
    if not total:
        return {f"{name}_rate": np.nan, f"{name}_bound": np.nan}
    bound = intervals.upper_bound(int(np.ceil(alarms.mean())), int(total))
    return {f"{name}_rate": alarms.mean() / total, f"{name}_bound": bound}


def enough(summary: pd.DataFrame, within: float) -> pd.DataFrame:
    """The fewest images from which on the mean AUROC stays as near to that with all.

    Parameters
    ----------
    summary : DataFrame
        From `summarise`.
    within : float
        How far below it may lie.

    Returns
    -------
    DataFrame
        ``images`` by category and arm.
    """
    rows = []
    for (category, arm), own in summary.groupby(["category", "arm"], sort=False):
        own = own.sort_values("images")
        near = own.auroc_mean >= own.auroc_mean.iloc[-1] - within
        stays = near[::-1].cummin()[::-1]
        rows.append({"category": category, "arm": arm, "images": own.images[stays].min()})
    return pd.DataFrame(rows).set_index(["category", "arm"])


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """The figures of a learning curve as a page shows them, a row an arm and size."""

    def rates(mean: pd.Series, bound: pd.Series) -> list[str]:
        pairs = zip(mean, bound, strict=True)
        return ["–" if np.isnan(a) else f"{a:.1%}{NARROW}[≤{NARROW}{b:.0%}]" for a, b in pairs]

    def number(values: pd.Series, form: str) -> list[str]:
        return ["–" if np.isnan(value) else format(value, form) for value in values]

    found = summarise(table)
    return pd.DataFrame(
        {
            "arm": found.arm.map(plain),
            "images": found.images,
            "AUROC": number(found.auroc_mean, ".3f"),
            "lowest": number(found.auroc_low, ".3f"),
            "threshold": number(found.ratio, ".2f"),
            "spread": number(found.spread, ".1%"),
            "false alarms, not learned": rates(found.unlearned_rate, found.unlearned_bound),
            "false alarms, test": rates(found.test_rate, found.test_bound),
            "recall": number(found.recall, ".0%"),
        }
    )


def curve(table: pd.DataFrame) -> Figure:
    """AUROC, false alarms on images not learned from, and the threshold, by size.

    Parameters
    ----------
    table : DataFrame
        Of one category; see `summarise`. Without an AUROC its panel is left out.
    """
    whole = table[table.images == table.train_images].groupby("arm").threshold.mean()
    drawn = _with_rate(table).assign(relative=table.threshold / table.arm.map(whole))
    panels = [panel for panel in PANELS if drawn[panel.column].notna().any()]
    figure, stack = look.stack(len(panels), 1.9, sharex=True)
    arms = [arm for arm in COLOURS if arm in set(table.arm)]
    sizes = sorted(table.images.unique())
    summary = summarise(table)
    for panel, axes in zip(panels, stack, strict=True):
        axes.axhline(panel.level, color=GREY, linestyle=":", linewidth=1)
        for number, arm in enumerate(arms):
            shift = STEP * (number - (len(arms) - 1) / 2)
            _dots(axes, drawn[drawn.arm == arm], panel.column, sizes, shift)
            if panel.column == "unlearned":
                _bounds(axes, summary[summary.arm == arm], sizes, shift)
                axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_ylabel(panel.label)
    total = table.train_images.iloc[0]
    stack[-1].set_xticks(range(len(sizes)), [f"all {n}" if n == total else n for n in sizes])
    stack[-1].set_xlabel("normal images learned from")
    look.words(stack[0], [(f"● {plain(arm)}", look.ink(arm)) for arm in arms])
    return figure


def equal_training(table: pd.DataFrame, equal: pd.DataFrame) -> Figure:
    """One arm with as many passes at every size, and with as many steps as with all.

    Parameters
    ----------
    table, equal : DataFrame
        Of that arm, trained the one way and the other; see `summarise`.
    """
    parts = list(dict.fromkeys(table.category))
    figure, grid = look.grid(2, len(parts), 1.9, sharex="col", sharey="row")
    for part, column in zip(parts, grid.T, strict=True):
        own, again = table[table.category == part], equal[equal.category == part]
        sizes, total = sorted(own.images.unique()), own.train_images.iloc[0]
        for panel, axes in zip(PANELS[:2], column, strict=True):
            axes.axhline(panel.level, color=GREY, linestyle=":", linewidth=1)
            _dots(axes, _with_rate(own), panel.column, sizes, -STEP / 2)
            _dots(axes, _with_rate(again), panel.column, sizes, STEP / 2, hollow=True)
        column[0].set_title(plain(part))
        column[1].set_xticks(range(len(sizes)), [f"all\n{n}" if n == total else n for n in sizes])
    for panel, axes in zip(PANELS, grid[:, 0], strict=False):
        axes.set_ylabel(panel.label)
    grid[1, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.supxlabel("normal images learned from", fontsize=10)
    return figure


def _with_rate(table: pd.DataFrame) -> pd.DataFrame:
    """With the rate of false alarms on images not learned from; not a number where none are."""
    return table.assign(
        unlearned=table.unlearned_alarms / table.n_unlearned.where(table.n_unlearned > 0)
    )


def _dots(
    axes: Axes,
    own: pd.DataFrame,
    column: str,
    sizes: list[int],
    shift: float,
    hollow: bool = False,
) -> None:
    """One seed a faint dot, and a line through the mean of each size."""
    style = {"color": COLOURS[own.arm.iloc[0]], "markersize": 5}
    axes.plot([sizes.index(n) + shift for n in own.images], own[column], ".", alpha=0.4, **style)
    means = own.groupby("images")[column].mean()
    if hollow:
        style |= {"markerfacecolor": "white", "linestyle": "--"}
    places = [sizes.index(n) + shift for n in means.index]
    axes.plot(places, means, **{"marker": "o", "linestyle": "-", "linewidth": 1.4} | style)


def _bounds(axes: Axes, summary: pd.DataFrame, sizes: list[int], shift: float) -> None:
    """From each mean rate up to its bound."""
    for row in summary.itertuples():
        place, colour = sizes.index(row.images) + shift, COLOURS[row.arm]
        ends = [row.unlearned_rate, row.unlearned_bound]
        axes.plot([place, place], ends, color=colour, linewidth=0.9)
        axes.plot(place, row.unlearned_bound, "_", color=colour, markersize=6)

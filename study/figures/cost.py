"""Figures of what things cost, from the committed benchmarks."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from study.figures import style as look
from study.figures.style import BLACK, COLOURS, SMALL
from study.names import ARMS, plain
from study.tables.benchmarks import LITERAL

STATES = {"cold": 1.0, "features kept": 0.6, "all kept": 0.3}
"""What is on disk already, and how strong its bar is."""
OTHER = "#4D4D4D"
"""The literal original and the peer: not an arm."""


def colour(who: str) -> str:
    """An arm's own, or that of all others."""
    return COLOURS.get(who, OTHER)


def category(costs: pd.DataFrame) -> Figure:
    """Seconds from files to scores, by arm and by what is kept.

    Parameters
    ----------
    costs : DataFrame
        From `benchmarks.category_costs`.
    """
    costs = costs[costs.state.isin(list(STATES))]
    names = list(costs.who.unique())
    figure, (axes,) = look.stack(1, 0.62 * len(names) + 0.7)
    for y, who in enumerate(names):
        own = costs[costs.who == who].set_index("state")
        for step, state in enumerate(state for state in STATES if state in own.index):
            row, place = own.loc[state], y + 0.26 * (step - 1)
            axes.barh(place, row.total, 0.24, color=colour(who), alpha=STATES[state])
            axes.plot([row.low, row.high], [place, place], color=BLACK, linewidth=1)
            note = f"{row.total:.{1 if row.total < 10 else 0}f} s {state}"
            style = {"va": "center", "fontsize": SMALL, "color": BLACK}
            axes.annotate(note, (row.high, place), (4, 0), textcoords="offset points", **style)
    _rows(axes, names)
    _log(axes, "x", "seconds to learn a category and judge its test images")
    axes.set_xlim(0.6 * costs.low.min(), 20 * costs.high.max())
    return figure


def extraction(speeds: pd.DataFrame) -> Figure:
    """Images per second after each change, for either set of layers.

    Parameters
    ----------
    speeds : DataFrame
        From `benchmarks.extraction_speeds`.
    """
    sets = list(speeds.layers.unique())
    figure, panels = look.stack(len(sets), 1.7, sharex=True)
    for layers, axes in zip(sets, panels, strict=True):
        own = speeds[speeds.layers == layers]
        for y, row in enumerate(own.itertuples()):
            first = row.variant == "original"
            axes.barh(y, row.speed, 0.7, color=OTHER if first else COLOURS["combined"])
            said = f"{row.speed:.0f}" if first else f"{row.speed:.0f}   {row.ratio:.1f} times"
            style = {"va": "center", "fontsize": SMALL}
            axes.annotate(said, (row.speed, y), (4, 0), textcoords="offset points", **style)
        axes.set_yticks(range(len(own)), own.variant)
        axes.invert_yaxis()
        axes.set_title(layers, loc="left")
        axes.set_xlim(0, 1.3 * speeds.speed.max())
    panels[-1].set_xlabel("images per second")
    return figure


def training(rows: pd.DataFrame) -> Figure:
    """Held-out error against seconds: the literal recipe as lines, the study's as points.

    Parameters
    ----------
    rows : DataFrame
        The section ``training``; its first seed is drawn.
    """
    names = list(rows.category.unique())
    figure, panels = look.stack(len(names), 2.3, sharex=True)
    for name, axes in zip(names, panels, strict=True):
        own = rows[(rows.category == name) & (rows.seed == 0)]
        for recipe, curve in own.groupby("recipe", sort=False):
            literal = recipe.startswith(LITERAL)
            half = recipe.endswith("bfloat16") or recipe.endswith("8 images a step")
            axes.plot(
                curve.seconds,
                curve.held_out_error,
                ("o--" if half else "o-") if literal else ("D" if half else "o"),
                color=OTHER if literal else COLOURS["combined"],
                markerfacecolor="white" if half else None,
                markersize=4 if literal else 7,
                label=recipe,
            )
        axes.set_title(plain(name), loc="left")
        axes.set_ylabel("held-out error")
        _log(axes, "x")
    panels[-1].set_xlabel("seconds of training")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=1)
    return figure


def latency(table: pd.DataFrame) -> Figure:
    """Milliseconds of one image on one thread and on two.

    Parameters
    ----------
    table : DataFrame
        From `benchmarks.latencies`.
    """
    names = list(table.who.unique())
    figure, (axes,) = look.stack(1, 0.42 * len(names) + 1)
    for y, who in enumerate(names):
        for row in table[table.who == who].itertuples():
            place = y + (0.15 if row.threads == 2 else -0.15)
            axes.plot([row.low, row.high], [place, place], color=colour(who), linewidth=2)
            face = colour(who) if row.threads == 1 else "white"
            axes.plot(row.median, place, "o", color=colour(who), markerfacecolor=face, markersize=7)
    _rows(axes, names)
    look.words(axes, [("● one thread   ○ two", BLACK)])
    axes.set_xlim(left=0)
    axes.set_xlabel("milliseconds for one image")
    return figure


def growth(rows: pd.DataFrame) -> Figure:
    """Seconds and peak memory as the number of images grows, on logarithmic axes.

    Parameters
    ----------
    rows : DataFrame
        The section ``growth``.
    """
    usual = rows[~rows.wide]
    side = usual.side.min()
    usual = usual[usual.side == side]
    figure, panels = look.stack(2, 2.4, sharex=True)
    for who in [who for who in ("features", *ARMS) if (usual.arm == who).any()]:
        own = usual[usual.arm == who].sort_values("images")
        ink = "--" if who == "features" else "-"
        panels[0].plot(own["images"], own.seconds, "o" + ink, color=colour(who), markersize=5)
        panels[1].plot(
            own["images"], own.peak_mb / 1000, "o" + ink, color=colour(who), label=plain(who)
        )
    for axes in panels:
        axes.set_xscale("log")
        axes.set_xticks(sorted(usual["images"].unique()))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    _log(panels[0], "y", "seconds")
    panels[1].set_ylim(0, 1.25 * usual.peak_mb.max() / 1000)
    panels[1].set(xlabel="training images", ylabel="peak memory, GB")
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _rows(axes: Axes, names: list[str]) -> None:
    """One row a name, the first on top, in its colour."""
    axes.set_yticks(np.arange(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    for label, who in zip(axes.get_yticklabels(), names, strict=True):
        label.set_color(look.ink(who) if who in COLOURS else OTHER)


def _log(axes: Axes, which: str, title: str = "") -> None:
    """A logarithmic axis, ``"x"`` or ``"y"``, with plain numbers."""
    axes.set(**{f"{which}scale": "log"} | ({f"{which}label": title} if title else {}))
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())

"""Figures of what things cost, from the committed benchmarks."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from study.figures import style
from study.figures.style import BLACK, COLOURS, SMALL
from study.names import MODELS, label, name_of
from study.tables.advice import means
from study.tables.benchmarks import LITERAL

STATES = {"cold": 1.0, "features kept": 0.6, "all kept": 0.3}
"""What is on disk already, and how strong its bar is."""
OTHER = "#4D4D4D"
"""The literal original and the peer: not a model of the study."""


def colour(who: str) -> str:
    """A model's own, or that of all others."""
    return COLOURS.get(who, OTHER)


def category(costs: pd.DataFrame) -> Figure:
    """Seconds from files to scores, by model and by what is kept: `benchmarks.category_costs`."""
    costs = costs[costs.state.isin(list(STATES))]
    names = list(costs.who.unique())
    figure, (axes,) = style.stack(1, 0.62 * len(names) + 0.7)
    for y, who in enumerate(names):
        rows = costs[costs.who == who].set_index("state")
        for step, state in enumerate(state for state in STATES if state in rows.index):
            row, place = rows.loc[state], y + 0.26 * (step - 1)
            axes.barh(place, row.total, 0.24, color=colour(who), alpha=STATES[state])
            axes.plot([row.low, row.high], [place, place], color=BLACK, linewidth=1)
            note = f"{row.total:.{1 if row.total < 10 else 0}f} s {state}"
            where = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(note, (row.high, place), color=BLACK, fontsize=SMALL, **where)
    style.name_rows(axes, names)
    style.plain_numbers(axes, "x", "seconds to learn a category and score its test images")
    axes.set_xlim(0.6 * costs.low.min(), 20 * costs.high.max())
    return figure


def extraction(speeds: pd.DataFrame) -> list[Figure]:
    """Images per second after each change, by layers: `benchmarks.extraction_speeds`."""
    names = speeds.layers.unique()
    panels = style.separate(len(names), 1.9)
    for layers, axes in zip(names, panels, strict=True):
        axes.set_title(layers, loc="left")
        rows = speeds[speeds.layers == layers]
        faster = [COLOURS["combined"]] * (len(rows) - 1)
        bars = axes.barh(range(len(rows)), rows.speed, 0.7, color=[OTHER, *faster])
        texts = [f"{row.speed:.0f}   {row.ratio:.1f} times" for row in rows.itertuples()]
        texts[0] = f"{rows.speed.iloc[0]:.0f}"
        axes.bar_label(bars, texts, padding=4, fontsize=SMALL, color=BLACK)
        style.name_rows(axes, rows.variant.tolist())
        axes.set(xlim=(0, 1.4 * speeds.speed.max()), xlabel="images per second")
    return [axes.figure for axes in panels]


def training(rows: pd.DataFrame) -> Figure:
    """Held-out error against seconds: the literal recipe as lines, the study's as points.

    Of the section ``training``, the first seed is drawn.
    """
    figure, panels = style.by_category(rows.category.unique(), 2.3, sharex=True)
    for name, axes in panels:
        first = rows[(rows.category == name) & (rows.seed == 0)]
        for recipe, curve in first.groupby("recipe", sort=False):
            literal = recipe.startswith(LITERAL)
            half = recipe.endswith(("bfloat16", "8 images a step"))
            marks = ("o--" if half else "o-") if literal else ("D" if half else "o")
            look = {"color": OTHER if literal else COLOURS["combined"], "label": recipe}
            look |= {"mfc": "white" if half else None, "markersize": 4 if literal else 7}
            axes.plot(curve.seconds, curve.held_out_error, marks, **look)
        axes.set_ylabel("held-out error")
        style.plain_numbers(axes, "x")
    axes.set_xlabel("seconds of training")
    style.legend_below(figure, axes)
    return figure


def latency(table: pd.DataFrame) -> Figure:
    """Milliseconds of one image on one thread and on two: `benchmarks.latencies`."""
    names = list(table.who.unique())
    figure, (axes,) = style.stack(1, 0.42 * len(names) + 1)
    for row in table.itertuples():
        place = names.index(row.who) + (0.15 if row.threads == 2 else -0.15)
        own = colour(row.who)
        face = own if row.threads == 1 else "white"
        style.interval(axes, place, row.median, (row.low, row.high), own, mfc=face)
    style.name_rows(axes, names)
    style.words(axes, [("● one thread   ○ two", BLACK)])
    axes.set_xlim(left=0)
    axes.set_xlabel("milliseconds for one image")
    return figure


def recall_and_time(choices: pd.DataFrame) -> Figure:
    """Recall against milliseconds of one image, a mark a model: `advice.choices`."""
    figure, (axes,) = style.stack(1, 3.4)
    for row in means(choices).itertuples():
        colour = COLOURS[row.model]
        axes.plot([row.milliseconds] * 2, [row.recall, row.ceiling], color=colour, linewidth=1)
        axes.plot(row.milliseconds, row.ceiling, "o", color=colour, markersize=8, mfc="white")
        axes.plot(row.milliseconds, row.recall, "o", color=colour, markersize=8)
        where = {"xytext": (8, -3), "textcoords": "offset points", "fontsize": SMALL}
        text = name_of(row.model, row.variant).replace(", ", ",\n")
        axes.annotate(text, (row.milliseconds, row.recall), color=style.ink(row.model), **where)
    style.plain_numbers(axes, "x", "milliseconds for one image, one thread")
    axes.set(xlim=(8, 700), ylim=(0, 1.03), ylabel="recall")
    axes.set_xticks([10, 20, 50, 100, 200, 500])
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def growth(rows: pd.DataFrame) -> list[Figure]:
    """Seconds and peak memory against the number of images: the section ``growth``."""
    usual = rows[~rows.wide]
    usual = usual[usual.side == usual.side.min()].assign(gigabytes=usual.peak_mb / 1000)
    panels = style.separate(2, 2.8)
    for who in [who for who in ("features", *MODELS) if (usual.model == who).any()]:
        sizes = usual[usual.model == who].sort_values("images")
        marks = "o--" if who == "features" else "o-"
        for axes, column in zip(panels, ("seconds", "gigabytes"), strict=True):
            look = {"color": colour(who), "label": label(who), "markersize": 5}
            axes.plot(sizes["images"], sizes[column], marks, **look)
    for axes in panels:
        style.plain_numbers(axes, "x")
        axes.set_xticks(sorted(usual["images"].unique()))
    style.plain_numbers(panels[0], "y", "seconds")
    panels[1].set_ylim(0, 1.25 * usual.gigabytes.max())
    panels[1].set(ylabel="peak memory, GB")
    for axes in panels:
        axes.set_xlabel("training images")
        style.legend_below(axes.figure, axes, columns=2)
    return [axes.figure for axes in panels]

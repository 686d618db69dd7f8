"""The figures that look for a reason: errors by place, cues, training, settings."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures import style
from study.figures.style import BLACK, COLOURS, DIM, NORMAL, SMALL
from study.names import label, plain
from study.tables.reference import SCORE, scores_of, select


def against(scores: pd.DataFrame, model: str, control: str, column: str = SCORE) -> Figure:
    """Score of each test image, mean over seeds, against a trivial property of it."""
    figure, panels = style.by_category(scores.category.unique(), 2.7, across=True, pad=20)
    for category, axes in panels:
        labels, values = scores_of(scores, column, category=category, model=model)
        _, trivial = scores_of(scores, category=category, model=control)
        for kind, colour in ((0, NORMAL), (1, COLOURS[model])):
            these, marks = labels == kind, {"color": colour, "alpha": 0.8, "s": 14}
            means = values[:, these].mean(axis=0)
            axes.scatter(trivial[0, these], means, marker="os"[kind], **marks)
        axes.set_xlabel(control)
    first = figure.axes[0]
    style.words(first, [("● normal", DIM), ("■ anomalous", style.ink(model))])
    first.set_ylabel(f"error of {model}")
    return figure


def training(watched: pd.DataFrame) -> Figure:
    """The autoencoder's AUROC along its training, one line a seed."""
    colour = COLOURS["autoencoder"]
    figure, panels = style.by_category(watched.category.unique(), 2.7, across=True, sharey=True)
    lines = {"top": ("-", "ten highest"), "all": (":", "mean of the map")}
    for category, axes in panels:
        rows = watched[watched.category == category]
        for (name, _), seed in rows.groupby(["aggregation", "seed"]):
            axes.plot(seed.epoch, seed.auroc, lines[name][0], color=colour)
        style.level(axes, 0.5, style="--")
        axes.set(xlabel="epoch", ylim=(0, 1.02))
    plainly = {"color": colour, "marker": ""}
    style.key(figure, {name: plainly | {"linestyle": line} for line, name in lines.values()}, 2)
    figure.axes[0].set_ylabel("image-level AUROC")
    return figure


def places(table: pd.DataFrame, backbone: str) -> Figure:
    """Error inside each defect, relative to normal images at the same places."""
    models = ("autoencoder", "combined")
    rows = table[table.backbone.isin(["", backbone]) & table.inside.notna()]
    rows = rows[rows.model.isin(models)].assign(ratio=rows.inside / rows.usual)
    means = rows.groupby(["category", "model", "image"], sort=False).ratio.mean().reset_index()
    names = means.category.unique()
    figure, panels = style.by_category(names, 2.7, across=True, pad=20, sharey=True)
    bars = {"hue_order": models, "palette": COLOURS, "bins": list(np.linspace(-1, 2, 31))}
    for category, axes in panels:
        axes.set_xscale("log")
        own = means[means.category == category]
        sns.histplot(own, x="ratio", hue="model", alpha=0.6, legend=False, ax=axes, **bars)
        axes.axvline(1, color=BLACK, linestyle="--", linewidth=1)
        axes.set(xlabel="error inside / usual", ylabel="", xlim=(0.1, 100))
    first = figure.axes[0]
    style.words(first, [(f"■ {label(model)}", style.ink(model)) for model in models])
    first.set_ylabel("anomalous images")
    return figure


def error_maps(table: pd.DataFrame, category: str) -> Figure:
    """The autoencoder's mean error by place, over the images of each type."""
    rows = table[table.category == category]
    kinds = sorted(rows.defect_type.unique(), key=lambda kind: (kind != "good", kind))
    figure, panels = style.bare(-(-len(kinds) // 3), 3, 1.8)
    brightest = rows.error.quantile(0.995)
    for kind, axes in zip(kinds, panels.ravel(), strict=False):
        error = rows[rows.defect_type == kind].pivot(index="row", columns="column", values="error")
        sns.heatmap(error, cmap="cividis", vmin=0, vmax=brightest, square=True, cbar=False, ax=axes)
        axes.set_title(plain(kind), fontsize=SMALL, fontweight="normal")
    figure.colorbar(axes.collections[0], ax=panels, shrink=0.7, label="mean squared error")
    return figure


def sensitivity(table: pd.DataFrame, summary: pd.DataFrame, category: str, backbone: str) -> list:
    """One panel a factor: AUROC against its values, the usual one filled.

    `table` has the rows to draw. Bands: mean ± one standard deviation over the seeds.
    """
    table = table[table.category == category]
    factors, lowest = list(table.factor.unique()), table.auroc_ci_low.min()
    panels = style.separate(len(factors), 2.4, width=3.2)
    spread = select(summary, category=category, variant="plain", backbone=backbone)
    for factor, axes in zip(factors, panels, strict=True):
        rows = table[table.factor == factor]
        order = _ordered(rows.value.unique())
        for number, (model, points) in enumerate(rows.groupby("model", sort=False)):
            places = [order.index(value) + 0.08 * number for value in points.value]
            points = points.assign(place=places).sort_values("place")
            axes.plot(points.place, points.auroc, color=COLOURS[model], linewidth=1.2)
            for row in points.itertuples():
                _setting(axes, row.place, row, COLOURS[model])
            known = spread[spread.model == model]
            if len(known) and factor != "aggregation":
                middle, sd = known.auroc_mean.iloc[0], known.auroc_sd.iloc[0]
                band = {"color": COLOURS[model], "alpha": 0.15, "linewidth": 0}
                axes.axhspan(middle - sd, middle + sd, **band)
        style.level(axes, 0.5)
        slanted = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(order)), order, **(slanted if len("".join(order)) > 16 else {}))
        axes.set_title(factor, loc="left", fontsize=SMALL + 1)
        axes.set(xlim=(-0.4, len(order) - 0.4), ylim=(min(0.45, lowest - 0.02), 1.02))
        axes.set_ylabel("AUROC")
        models = rows.model.unique()
        marks = {label(m): {"color": COLOURS[m], "linestyle": "-"} for m in models}
        style.key(axes.figure, marks, columns=2)
    return [axes.figure for axes in panels]


def _ordered(values: Sequence[str]) -> list[str]:
    """Numbers by size, else in the order given."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return list(values)


def _setting(axes: Axes, at: float, row, colour: str) -> None:
    """The AUROC with one setting and its interval; the usual setting is filled."""
    ends, face = (row.auroc_ci_low, row.auroc_ci_high), colour if row.usual else "white"
    style.interval(axes, at, row.auroc, ends, colour, size=6, mfc=face, upright=True)


def picked(table: pd.DataFrame, model: str) -> Figure:
    """AUROC of one model under every single setting that was tried, sorted; the usual one once."""
    usual = table.usual.astype(bool)
    once = pd.concat([table[~usual], table[usual].head(1)])
    sorted_ = once.sort_values("auroc", ignore_index=True)
    figure, (axes,) = style.stack(1, 2.8)
    for row in sorted_.itertuples():
        _setting(axes, row.Index, row, COLOURS[model])
    for at, side, step in ((0, "left", 8), (len(sorted_) - 1, "right", -8)):
        row = sorted_.loc[at]
        text = {"ha": side, "va": "center", "fontsize": SMALL, "color": style.ink(model)}
        where = {"xytext": (step, 0), "textcoords": "offset points"}
        axes.annotate(f"{row.factor}: {row.value}", (at, row.auroc), **where, **text)
    style.level(axes, 0.5)
    axes.set(xlabel="settings, sorted", ylabel="image-level AUROC", xticks=[])
    return figure

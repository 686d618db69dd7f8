"""The figures that look for a reason: errors by place, cues, training, settings."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures import style as look
from study.figures.style import BLACK, COLOURS, GREY, NORMAL, SMALL
from study.names import CONTROL, plain
from study.tables.reference import SCORE, scores_of, select


def against(scores: pd.DataFrame, arm: str, control: str, column: str = SCORE) -> Figure:
    """Score of each test image, mean over seeds, against a trivial property of it."""
    categories = scores.category.unique()
    figure, panels = look.row(len(categories), 2.7)
    for category, axes in zip(categories, panels, strict=True):
        labels, values = scores_of(scores, column, category=category, arm=arm)
        _, trivial = scores_of(scores, category=category, arm=control)
        for label, colour in ((0, NORMAL), (1, COLOURS[arm])):
            own = labels == label
            style = {"color": colour, "alpha": 0.8, "s": 14, "marker": "os"[label]}
            axes.scatter(trivial[0, own], values[:, own].mean(axis=0), **style)
        axes.set_xlabel(control)
        axes.set_title(plain(category), loc="left", pad=20)
    look.words(panels[0], [("● normal", "#6A6A6A"), ("■ anomalous", look.ink(arm))])
    panels[0].set_ylabel(f"error of {arm}")
    return figure


def training(watched: pd.DataFrame) -> Figure:
    """The autoencoder's AUROC along its training, one line a seed."""
    categories = watched.category.unique()
    figure, panels = look.row(len(categories), 2.7, sharey=True)
    styles = {"top": ("-", "ten highest"), "all": (":", "mean of the map")}
    for category, axes in zip(categories, panels, strict=True):
        own = watched[watched.category == category]
        for (name, _), rows in own.groupby(["aggregation", "seed"]):
            axes.plot(rows.epoch, rows.auroc, styles[name][0], color=COLOURS["autoencoder"])
        axes.axhline(0.5, color=GREY, linestyle="--", linewidth=1)
        axes.set(xlabel="epoch", ylim=(0, 1.02))
        axes.set_title(plain(category), loc="left")
    for line, name in styles.values():
        axes.plot([], [], line, color=COLOURS["autoencoder"], label=name)
    figure.legend(loc="outside lower center", ncols=2)
    panels[0].set_ylabel("image-level AUROC")
    return figure


def places(table: pd.DataFrame, backbone: str) -> Figure:
    """Error inside each defect, relative to normal images at the same places."""
    own = table[table.backbone.isin(["", backbone]) & table.inside.notna()]
    categories = own.category.unique()
    figure, panels = look.row(len(categories), 2.7, sharey=True)
    for category, axes in zip(categories, panels, strict=True):
        for arm in ("autoencoder", "combined"):
            rows = own[(own.category == category) & (own.arm == arm)]
            ratio = (rows.inside / rows.usual).groupby(rows.image).mean()
            bins = np.geomspace(0.1, 100, 31)
            axes.hist(ratio, bins=bins, color=COLOURS[arm], alpha=0.6)
        axes.axvline(1, color=BLACK, linestyle="--", linewidth=1)
        axes.set(xscale="log", xlabel="error inside / usual")
        axes.set_title(plain(category), loc="left", pad=20)
    arms = ("autoencoder", "combined")
    look.words(panels[0], [(f"■ {arm}", look.ink(arm)) for arm in arms])
    panels[0].set_ylabel("anomalous images")
    return figure


def error_maps(table: pd.DataFrame, category: str) -> Figure:
    """The autoencoder's mean error by place, over the images of each type."""
    own = table[table.category == category]
    kinds = sorted(own.defect_type.unique(), key=lambda kind: (kind != "good", kind))
    columns = 3
    rows = -(-len(kinds) // columns)
    figure, grid = look.grid(rows, columns, 1.8)
    brightest = own.error.quantile(0.995)
    for axes in grid.ravel():
        axes.set_axis_off()
    for kind, axes in zip(kinds, grid.ravel(), strict=False):
        error = own[own.defect_type == kind].pivot(index="row", columns="column", values="error")
        image = axes.imshow(error, cmap="cividis", vmin=0, vmax=brightest)
        axes.set_title(plain(kind), fontsize=SMALL, fontweight="normal")
    figure.colorbar(image, ax=grid, shrink=0.7, label="mean squared error")
    return figure


def sensitivity(table: pd.DataFrame, summary: pd.DataFrame, category: str, backbone: str) -> Figure:
    """One small panel a factor: AUROC against its values, the usual one filled."""
    own = table[table.category == category]
    factors = list(own.factor.unique())
    columns = 2
    rows = -(-len(factors) // columns)
    figure, grid = look.grid(rows, columns, 1.75, sharey=True)
    for axes in grid.ravel()[len(factors) :]:
        axes.set_axis_off()
    spread = select(summary, category=category, variant="plain", backbone=backbone)
    for factor, axes in zip(factors, grid.ravel(), strict=False):
        here = own[own.factor == factor]
        order = _ordered(here.value.unique())
        for number, (arm, points) in enumerate(here.groupby("arm", sort=False)):
            x = np.array([order.index(value) for value in points.value]) + 0.08 * number
            points = points.assign(x=x).sort_values("x")
            low, high = points.auroc - points.auroc_ci_low, points.auroc_ci_high - points.auroc
            style = {"color": COLOURS[arm], "linewidth": 1.2}
            axes.errorbar(points.x, points.auroc, [low, high], marker="o", mfc="white", **style)
            usual = points[points.usual]
            axes.plot(usual.x, usual.auroc, "o", color=COLOURS[arm], zorder=5)
            known = spread[spread.arm == arm]
            if len(known) and factor != "aggregation":
                middle, sd = known.auroc_mean.iloc[0], known.auroc_sd.iloc[0]
                axes.axhspan(middle - sd, middle + sd, color=COLOURS[arm], alpha=0.15, linewidth=0)
        axes.axhline(0.5, color=GREY, linestyle=":", linewidth=1)
        slanted = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(order)), order, **(slanted if len("".join(order)) > 16 else {}))
        axes.set_title(factor, loc="left", fontsize=SMALL)
        axes.set_xlim(-0.4, len(order) - 0.4)
    low = min(0.45, own.auroc.min() - 0.03)
    grid[0, 0].set_ylim(low, 1.02)
    figure.supylabel("image-level AUROC", fontsize=10)
    handles = [
        plt.Line2D([], [], marker="o", color=COLOURS[arm], label=arm) for arm in own.arm.unique()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _ordered(values: Sequence[str]) -> list[str]:
    """Numbers by size, else in the order given."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return list(values)


def greys(scores: pd.DataFrame) -> Figure:
    """Mean grey of every test image: what a light meter sees."""
    categories = scores.category.unique()
    figure, panels = look.stack(len(categories), 1.7)
    random = np.random.default_rng(0)
    for category, axes in zip(categories, panels, strict=True):
        labels, values = scores_of(scores, category=category, arm=CONTROL)
        for label, colour in ((0, NORMAL), (1, "#CC79A7")):
            own = values[0, labels == label]
            y = label + random.uniform(-0.25, 0.25, len(own))
            axes.plot(own, y, "os"[label], color=colour, markersize=4, alpha=0.75)
        names = [f"{(labels == 0).sum()} normal", f"{(labels == 1).sum()} anomalous"]
        axes.set_yticks([0, 1], names)
        axes.set_ylim(1.6, -0.6)
        axes.set_title(plain(category), loc="left")
    panels[-1].set_xlabel("mean grey value of the image")
    return figure


def picked(table: pd.DataFrame, arm: str) -> Figure:
    """AUROC of one arm under every single setting that was tried, sorted; the usual one once."""
    usual = table.usual.astype(bool)
    once = pd.concat([table[~usual], table[usual].head(1)])
    found = once.sort_values("auroc", ignore_index=True)
    figure, (axes,) = look.stack(1, 2.8)
    for at, row in found.iterrows():
        axes.plot([at, at], [row.auroc_ci_low, row.auroc_ci_high], color=COLOURS[arm], alpha=0.3)
        face = COLOURS[arm] if row.usual else "white"
        axes.plot(at, row.auroc, "o", color=COLOURS[arm], mfc=face, markersize=6)
    for at, side, step in ((0, "left", 8), (len(found) - 1, "right", -8)):
        row = found.loc[at]
        text = {"ha": side, "va": "center", "fontsize": SMALL, "textcoords": "offset points"}
        where = {"xy": (at, row.auroc), "xytext": (step, 0)}
        axes.annotate(f"{row.factor}: {row.value}", color=look.ink(arm), **where, **text)
    axes.axhline(0.5, color=GREY, linestyle=":", linewidth=1)
    axes.set(xlabel="settings, sorted", ylabel="image-level AUROC", xticks=[])
    return figure

"""The figures of the reference results: intervals drawn, one colour an arm."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from anomalylib import metrics
from anomalylib.plots import ANOMALOUS, COLOURS, NORMAL, THRESHOLD, plain
from anomalylib.results import CLAIMS, CONTROL
from anomalylib.tables import CONTROLS, GROUP, RULES, SCORE, scores_of, select

GREY = COLOURS[CONTROL]
MARKERS = "osD^v"
BACKBONES = {
    "": "no backbone",
    "resnet50": "ResNet-50, layer2",
    "resnet50-v2": "ResNet-50 v2, layer2 + layer3",
    "efficientnet_lite0": "EfficientNet-Lite0",
}
"""What a page calls the backbones of the reference results."""


def measured(summary: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """AUROC of every arm, backbone and control with its interval; small dots are seeds."""
    plainly = select(summary, variant="plain")
    arms = [arm for arm in COLOURS if arm in set(plainly.arm)]
    arms += [name for name in CONTROLS if name not in arms and name in set(plainly.arm)]
    named = [name for name in plainly.backbone.unique() if name]
    figure, panels = _stack(plainly.category.unique(), 0.62 * len(arms) + 1)
    for category, axes in panels.items():
        own = plainly[plainly.category == category]
        for y, arm in enumerate(arms):
            rows = own[own.arm == arm]
            shifts = np.linspace(-0.25, 0.25, len(rows)) if len(rows) > 1 else [0.0]
            for shift, row in zip(shifts, rows.itertuples(), strict=True):
                marker = MARKERS[named.index(row.backbone)] if row.backbone else "o"
                colour = COLOURS.get(arm, GREY)
                _interval(axes, row, y + shift, colour, marker)
                key = {column: getattr(row, column) for column in GROUP}
                labels, values = scores_of(scores, **key)
                seeds = [metrics.auroc(labels, each) for each in values]
                axes.plot(seeds, [y + shift] * len(seeds), ".", color="black", markersize=3)
            if arm in CLAIMS:
                axes.plot(CLAIMS[arm], y, marker="|", color="black", markersize=30, zorder=0)
        _auroc_axis(axes, arms)
        axes.set_title(plain(category), loc="left")
    handles = [
        plt.Line2D([], [], marker=MARKERS[i], linestyle="", color="#444444", label=_backbone(name))
        for i, name in enumerate(named)
    ]
    claim = {"marker": "|", "markersize": 14, "linestyle": "", "color": "black"}
    handles.append(plt.Line2D([], [], label="claimed by the report", **claim))
    figure.legend(handles=handles, frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    return figure


def controls(summary: pd.DataFrame, backbone: str) -> Figure:
    """Each arm as it is and with every image at one mean grey; untrained features; controls."""
    shown = {"plain": ("o", 1.0), "grey-matched": ("D", 0.45), "untrained": ("X", 0.45)}
    arms = [*(arm for arm in COLOURS if arm != CONTROL), *CONTROLS]
    figure, panels = _stack(summary.category.unique(), 0.62 * len(arms) + 1)
    for category, axes in panels.items():
        own = summary[(summary.category == category) & summary.backbone.isin(["", backbone])]
        for y, arm in enumerate(arms):
            rows = own[(own.arm == arm) & own.variant.isin(list(shown))]
            for row in rows.itertuples():
                marker, alpha = shown[row.variant]
                shift = 0.24 * (list(shown).index(row.variant) - 1)
                _interval(axes, row, y + shift, COLOURS.get(arm, GREY), marker, alpha)
        _auroc_axis(axes, arms)
        axes.set_title(plain(category), loc="left")
    handles = [
        plt.Line2D([], [], marker=marker, linestyle="", color="#444444", alpha=alpha, label=name)
        for name, (marker, alpha) in shown.items()
    ]
    figure.legend(handles=handles, frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    return figure


def against(scores: pd.DataFrame, arm: str, control: str, column: str = SCORE) -> Figure:
    """Score of each test image, mean over seeds, against a trivial property of it."""
    figure, panels = _row(scores.category.unique())
    for category, axes in panels.items():
        labels, values = scores_of(scores, column, category=category, arm=arm)
        _, trivial = scores_of(scores, category=category, arm=control)
        for label, name, colour in ((0, "normal", NORMAL), (1, "anomalous", ANOMALOUS)):
            own = labels == label
            style = {"color": colour, "alpha": 0.8, "s": 16, "marker": "os"[label], "label": name}
            axes.scatter(trivial[0, own], values[:, own].mean(axis=0), **style)
        axes.set(xlabel=control, title=plain(category))
    next(iter(panels.values())).set_ylabel(f"error of {arm}")
    axes.legend(frameon=False, fontsize=8)
    return figure


def training(watched: pd.DataFrame) -> Figure:
    """The autoencoder's AUROC along its training, one line a seed."""
    figure, panels = _row(watched.category.unique(), sharey=True)
    styles = {"top": ("-", "top 10 of the map"), "all": (":", "mean of the map")}
    for category, axes in panels.items():
        own = watched[watched.category == category]
        for (name, _), rows in own.groupby(["aggregation", "seed"]):
            axes.plot(rows.epoch, rows.auroc, styles[name][0], color=COLOURS["autoencoder"])
        axes.axhline(0.5, color=GREY, linestyle="--", linewidth=1)
        axes.set(xlabel="epoch", title=plain(category), ylim=(0, 1.02))
    for line, name in styles.values():
        axes.plot([], [], line, color=COLOURS["autoencoder"], label=name)
    axes.legend(frameon=False, fontsize=8)
    next(iter(panels.values())).set_ylabel("image-level AUROC")
    return figure


def places(table: pd.DataFrame, backbone: str) -> Figure:
    """Error inside each defect, relative to normal images at the same places."""
    own = table[table.backbone.isin(["", backbone]) & table.inside.notna()]
    figure, panels = _row(own.category.unique())
    for category, axes in panels.items():
        for arm in ("autoencoder", "combined"):
            rows = own[(own.category == category) & (own.arm == arm)]
            ratio = (rows.inside / rows.usual).groupby(rows.image).mean()
            bins = np.geomspace(0.1, 100, 31)
            axes.hist(
                ratio, bins=bins, color=COLOURS[arm], alpha=0.6, label=f"{arm} ({len(ratio)})"
            )
        axes.axvline(1, color="black", linestyle="--", linewidth=1)
        axes.set(xscale="log", xlabel="error inside / usual", title=plain(category))
    next(iter(panels.values())).set_ylabel("anomalous images")
    axes.legend(frameon=False, fontsize=8)
    return figure


def error_maps(table: pd.DataFrame, category: str) -> Figure:
    """The autoencoder's mean error by place, over the images of each type."""
    own = table[table.category == category]
    kinds = sorted(own.defect_type.unique(), key=lambda kind: (kind != "good", kind))
    columns = 3
    rows = -(-len(kinds) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(6.4, 2.3 * rows), layout="constrained", squeeze=False
    )
    brightest = own.error.quantile(0.995)
    for axes in grid.ravel():
        axes.set_axis_off()
    for kind, axes in zip(kinds, grid.ravel(), strict=False):
        error = own[own.defect_type == kind].pivot(index="row", columns="column", values="error")
        image = axes.imshow(error, cmap="cividis", vmin=0, vmax=brightest)
        axes.set_title(plain(kind), fontsize=9)
    figure.colorbar(image, ax=grid, shrink=0.7, label="mean squared error")
    return figure


def rules(
    scores: pd.DataFrame, nominal: pd.DataFrame, decided: pd.DataFrame, category: str, **which: str
) -> Figure:
    """One histogram a threshold rule, of seed 0: nominal and test scores, the red line."""
    figure, rows = plt.subplots(
        len(RULES), figsize=(6.4, 1.9 * len(RULES)), sharex=True, layout="constrained"
    )
    for axes, rule in zip(rows, RULES, strict=True):
        own = {"category": category, "variant": rule.variant} | which
        labels, values = scores_of(scores, **own)
        learned = select(nominal, seed=0, **own).score.to_numpy()
        threshold = rule.rule.fit(learned).threshold_
        edges = np.geomspace(min(learned.min(), values[0].min()), values[0].max(), 34)
        axes.hist(learned, edges, histtype="step", color="black", label="nominal")
        for label, name, colour in ((0, "normal", NORMAL), (1, "anomalous", ANOMALOUS)):
            axes.hist(values[0, labels == label], edges, color=colour, alpha=0.65, label=name)
        axes.axvline(threshold, color=THRESHOLD, linewidth=2)
        said = select(decided, category=category, threshold_rule=rule.name, **which).iloc[0]
        side = "right" if threshold > np.sqrt(edges[0] * edges[-1]) else "left"
        axes.annotate(
            f" recall {said.recall:.0%}, false alarms {said.fpr:.0%} ",
            (threshold, 0.88),
            xycoords=("data", "axes fraction"),
            color=THRESHOLD,
            fontsize=8,
            ha=side,
        )
        axes.set_title(rule.name, loc="left", fontsize=10)
        axes.set(xscale="log", ylabel="images")
        axes.xaxis.set_minor_formatter(NullFormatter())
    handles, _ = rows[0].get_legend_handles_labels()
    figure.legend(handles=handles, frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    rows[-1].set_xlabel("score, log scale (higher = more anomalous)")
    return figure


def sensitivity(table: pd.DataFrame, summary: pd.DataFrame, category: str, backbone: str) -> Figure:
    """One small panel a factor: AUROC against its values, the usual one filled."""
    own = table[table.category == category]
    factors = list(own.factor.unique())
    columns = 2
    rows = -(-len(factors) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(6.8, 2.1 * rows), sharey=True, layout="constrained", squeeze=False
    )
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
        axes.set_xticks(range(len(order)), order, fontsize=8, rotation=20 * (len(order) > 4))
        axes.set_title(factor, loc="left", fontsize=10)
        axes.set_xlim(-0.4, len(order) - 0.4)
    low = min(0.45, own.auroc.min() - 0.03)
    grid[0, 0].set_ylim(low, 1.02)
    figure.supylabel("image-level AUROC", fontsize=10)
    handles = [
        plt.Line2D([], [], marker="o", color=COLOURS[arm], label=arm) for arm in own.arm.unique()
    ]
    figure.legend(handles=handles, frameon=False, fontsize=8, loc="outside lower center", ncols=4)
    return figure


def _ordered(values: Sequence[str]) -> list[str]:
    """Numbers by size, else in the order given."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return list(values)


def _interval(axes: Axes, row, y: float, colour: str, marker: str, alpha: float = 1.0) -> None:
    """One AUROC with its bootstrap interval."""
    axes.plot([row.auroc_ci_low, row.auroc_ci_high], [y, y], color=colour, linewidth=2, alpha=alpha)
    axes.plot(row.auroc_mean, y, marker, color=colour, markersize=8, alpha=alpha)


def _auroc_axis(axes: Axes, rows: Sequence[str]) -> None:
    axes.axvline(0.5, color=GREY, linestyle=":", linewidth=1)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlim=(0, 1.02), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlabel("image-level AUROC")


def _stack(categories: Sequence[str], height: float) -> tuple[Figure, dict[str, Axes]]:
    """One panel a category, below each other."""
    figure, rows = plt.subplots(
        len(categories),
        figsize=(6.4, height * len(categories)),
        layout="constrained",
        squeeze=False,
    )
    return figure, dict(zip(categories, rows[:, 0], strict=True))


def _row(categories: Sequence[str], sharey: bool = False) -> tuple[Figure, dict[str, Axes]]:
    """One panel a category, side by side."""
    figure, columns = plt.subplots(
        1, len(categories), figsize=(6.8, 3.2), layout="constrained", squeeze=False, sharey=sharey
    )
    return figure, dict(zip(categories, columns[0], strict=True))


def _backbone(name: str) -> str:
    return BACKBONES.get(name, plain(name))

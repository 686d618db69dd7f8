"""The figures of the reference results: intervals drawn, one colour an arm."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalylib.metrics import image as metrics
from study.figures import style as look
from study.figures.build import auroc_rows, auroc_text, claim_mark
from study.figures.style import BLACK, COLOURS, GREY, SMALL
from study.names import ARMS, CLAIMS, CONTROL, plain
from study.tables.reference import CONTROLS, GROUP, scores_of, select

MARKERS = "osD^v"
BACKBONES = {
    "": "no backbone",
    "resnet50": "ResNet-50, layer2",
    "resnet50-v2": "ResNet-50 v2, layer2 + layer3",
    "efficientnet_lite0": "EfficientNet-Lite0",
}
"""What a page calls the backbones of the reference results."""


def measured(
    summary: pd.DataFrame, scores: pd.DataFrame, backbones: Sequence[str] | None = None
) -> Figure:
    """AUROC of every arm and control with its interval; small dots are seeds.

    Parameters
    ----------
    summary, scores : DataFrame
        The tables of those names.
    backbones : sequence of str, optional
        Those to show; all of them where it is left out. The first has its
        numbers written beside it.
    """
    plainly = select(summary, variant="plain")
    named = [name for name in plainly.backbone.unique() if name]
    named = [name for name in named if backbones is None or name in backbones]
    plainly = plainly[plainly.backbone.isin(["", *named])]
    arms = [arm for arm in COLOURS if arm in set(plainly.arm)]
    arms += [name for name in CONTROLS if name not in arms and name in set(plainly.arm)]
    categories = plainly.category.unique()
    height = 0.45 if len(named) > 1 else 0.36
    figure, panels = look.stack(len(categories), height * len(arms) + 0.8)
    for category, axes in zip(categories, panels, strict=True):
        own = plainly[plainly.category == category]
        for y, arm in enumerate(arms):
            rows = own[own.arm == arm]
            shifts = np.linspace(-0.2, 0.2, len(rows)) if len(rows) > 1 else [0.0]
            for shift, row in zip(shifts, rows.itertuples(), strict=True):
                marker = MARKERS[named.index(row.backbone)] if row.backbone else "o"
                _interval(axes, row, y + shift, COLOURS.get(arm, GREY), marker)
                labels, values = scores_of(scores, **{name: getattr(row, name) for name in GROUP})
                seeds = [metrics.auroc(labels, each) for each in values]
                if len(seeds) > 1:
                    axes.plot(seeds, [y + shift] * len(seeds), ".", color=BLACK, markersize=2.5)
            auroc_text(axes, arm, rows.auroc_mean.iloc[0], y)
            if arm in CLAIMS:
                claim_mark(axes, CLAIMS[arm], y, said=len(named) == 1)
        auroc_rows(axes, arms)
        axes.set_title(plain(category), loc="left")
    panels[-1].set_xlabel("image-level AUROC")
    if len(named) > 1:
        key = {_backbone(name): MARKERS[i] for i, name in enumerate(named)}
        _marker_key(figure, key | {"claimed by the report": "|"})
    return figure


def controls(summary: pd.DataFrame, backbone: str) -> Figure:
    """Each arm as it is and with every image at one mean grey; untrained features; controls."""
    shown = {"plain": ("o", 1.0), "grey-matched": ("D", 0.5), "untrained": ("X", 0.5)}
    said = ("as it is", "one mean grey for all images", "untrained backbone")
    arms = [*(arm for arm in COLOURS if arm != CONTROL), *CONTROLS]
    categories = summary.category.unique()
    figure, panels = look.stack(len(categories), 0.5 * len(arms) + 0.8)
    for category, axes in zip(categories, panels, strict=True):
        own = summary[(summary.category == category) & summary.backbone.isin(["", backbone])]
        for y, arm in enumerate(arms):
            rows = own[(own.arm == arm) & own.variant.isin(list(shown))]
            for row in rows.itertuples():
                marker, alpha = shown[row.variant]
                shift = 0.24 * (list(shown).index(row.variant) - 1)
                _interval(axes, row, y + shift, COLOURS.get(arm, GREY), marker, alpha)
        auroc_rows(axes, arms)
        axes.set_title(plain(category), loc="left")
    panels[-1].set_xlabel("image-level AUROC")
    marks = [marker for marker, _ in shown.values()]
    _marker_key(figure, dict(zip(said, marks, strict=True)))
    return figure


def differences(pairs: pd.DataFrame) -> Figure:
    """Gain in AUROC of one arm over another, with its interval, a mark a backbone.

    Parameters
    ----------
    pairs : DataFrame
        Rows of `comparisons.between_arms` with a column ``backbone``.
    """
    categories, named = pairs.category.unique(), list(pairs.backbone.unique())
    steps = list(dict.fromkeys(zip(pairs["first"], pairs["second"], strict=True)))
    figure, panels = look.stack(len(categories), 0.6 * len(steps) + 0.8, sharex=True)
    for category, axes in zip(categories, panels, strict=True):
        own = pairs[pairs.category == category]
        for y, (first, second) in enumerate(steps):
            rows = own[(own["first"] == first) & (own["second"] == second)]
            for row in rows.itertuples():
                at = y + 0.2 * (named.index(row.backbone) - (len(named) - 1) / 2)
                axes.plot([row.low, row.high], [at, at], color=COLOURS[first], linewidth=2)
                marker = MARKERS[named.index(row.backbone)]
                axes.plot(row.difference, at, marker, color=COLOURS[first], markersize=6)
        axes.axvline(0, color=GREY, linestyle=":", linewidth=1)
        axes.set_yticks(
            range(len(steps)), [f"{plain(first)}\nover {plain(second)}" for first, second in steps]
        )
        for label, (first, _) in zip(axes.get_yticklabels(), steps, strict=True):
            label.set_color(look.ink(first))
        axes.set_ylim(len(steps) - 0.4, -0.6)
        axes.set_title(plain(category), loc="left")
    panels[-1].set_xlabel("difference in image-level AUROC")
    _marker_key(figure, {_backbone(name): MARKERS[i] for i, name in enumerate(named)})
    return figure


def by_type(kinds: pd.DataFrame, category: str) -> Figure:
    """AUROC of each defect type against all normal images, one mark an arm.

    Parameters
    ----------
    kinds : DataFrame
        From `comparisons.by_defect_type`.
    category : str
    """
    own = kinds[kinds.category == category]
    names = list(own.defect_type.unique())
    figure, (axes,) = look.stack(1, 0.5 * len(names) + 1)
    for y, name in enumerate(names):
        here = own[own.defect_type == name].set_index("arm").auroc
        axes.plot([here[list(ARMS)].min(), here[list(ARMS)].max()], [y, y], color="#D0D0D0")
        for arm in ARMS:
            axes.plot(here[arm], y, "o", color=COLOURS[arm], markersize=8)
    auroc_rows(axes, names)
    look.arm_key(figure, ARMS)
    axes.set_xlabel("image-level AUROC")
    return figure


def published(both: pd.DataFrame) -> Figure:
    """AUROC on metal nut against screw: published methods grey, this study's arms in colour.

    Parameters
    ----------
    both : DataFrame
        From `prose.beside`.
    """
    figure, (axes,) = look.stack(1, 4.6)
    ours = both.source == "this study"
    rows = both[~ours].dropna(subset=["metal_nut", "screw"])
    axes.plot(rows.metal_nut, rows.screw, "o", color="#9A9A9A", markersize=5, alpha=0.8)
    for name in ("GANomaly", "DFKDE", "FRE (linear)", "DFR", "FastFlow"):
        for row in rows[rows.method == name].tail(1).itertuples():
            where = (row.metal_nut - 0.015, row.screw)
            axes.annotate(name, where, color="#5A5A5A", fontsize=SMALL, ha="right", va="center")
    for arm in ARMS:
        own = both[ours & (both.method == arm)]
        axes.plot(own.metal_nut, own.screw, "D", color=COLOURS[arm], markersize=8)
    look.arm_key(figure, ARMS, "D")
    axes.plot([0, 1], [0, 1], color="#B0B0B0", linestyle=":", linewidth=1)
    axes.set(xlabel="metal nut, AUROC", ylabel="screw, AUROC", xlim=(0.2, 1.02), ylim=(0.2, 1.02))
    return figure


def _interval(axes: Axes, row, y: float, colour: str, marker: str, alpha: float = 1.0) -> None:
    """One AUROC with its bootstrap interval."""
    axes.plot([row.auroc_ci_low, row.auroc_ci_high], [y, y], color=colour, linewidth=2, alpha=alpha)
    axes.plot(row.auroc_mean, y, marker, color=colour, markersize=7, alpha=alpha)


def _marker_key(figure: Figure, markers: dict[str, str]) -> None:
    """What the marks stand for; their colours are those of the rows."""
    handles = [
        plt.Line2D([], [], marker=marker, linestyle="", color="#444444", label=name)
        for name, marker in markers.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=1)


def _backbone(name: str) -> str:
    return BACKBONES.get(name, plain(name))

"""The figures of the reference results: intervals drawn, one colour a model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures import style
from study.figures.style import BLACK, COLOURS, GREY, MARKERS, SMALL
from study.names import CLAIMS, MODELS, plain
from study.tables.comparisons import seed_spread
from study.tables.reference import CONTROLS, GROUP, select

BACKBONES = {
    "": "no backbone",
    "resnet50": "ResNet-50, layer2",
    "resnet50-he": "ResNet-50 of He et al., layer2 + layer3",
    "resnet50-v2": "ResNet-50 v2, layer2 + layer3",
    "efficientnet_lite0": "EfficientNet-Lite0",
}
"""What a page calls the backbones of the reference results."""
VARIANTS = {
    "plain": ("o", 1.0, "as it is"),
    "brightness-normalised": ("D", 0.5, "one mean grey for all images"),
    "untrained": ("X", 0.5, "untrained backbone"),
}
"""Marker, strength and name of each variant among the controls."""


def measured(
    summary: pd.DataFrame, scores: pd.DataFrame, backbones: Sequence[str] | None = None
) -> Figure:
    """AUROC of every model and control with its interval; small dots are seeds.

    `backbones` are those to show, all where it is left out. The first has its
    numbers written beside it.
    """
    table = select(summary, variant="plain")
    shown = backbones or table.backbone.unique()
    named = [name for name in table.backbone.unique() if name and name in shown]
    table = table[table.backbone.isin(["", *named])]
    names = [name for name in (*MODELS, *CONTROLS) if name in set(table.model)]
    height = (0.45 if len(named) > 1 else 0.36) * len(names) + 0.8
    figure, panels = style.by_category(table.category.unique(), height)
    for category, axes in panels:
        for y, name in enumerate(names):
            rows = table[(table.category == category) & (table.model == name)]
            shifts = np.linspace(-0.2, 0.2, len(rows)) if len(rows) > 1 else [0.0]
            for shift, row in zip(shifts, rows.itertuples(), strict=True):
                marker = MARKERS[named.index(row.backbone)] if row.backbone else "o"
                _auroc(axes, row, y + shift, marker)
                seeds = seed_spread(scores, **{name: getattr(row, name) for name in GROUP})
                if len(seeds) > 1:
                    axes.plot(seeds, [y + shift] * len(seeds), ".", color=BLACK, markersize=2.5)
            style.at_end(axes, name, f"{rows.auroc_mean.iloc[0]:.3f}", y)
            if name in CLAIMS:
                style.claim_mark(axes, CLAIMS[name], y, text=len(named) == 1)
        style.auroc_rows(axes, names)
    axes.set_xlabel("image-level AUROC")
    if len(named) > 1:
        style.key(figure, _marks(named) | {"claimed by the report": "|"})
    return figure


def controls(summary: pd.DataFrame, backbone: str) -> Figure:
    """Each model as it is and with every image at one mean grey; untrained features; controls."""
    names = [*MODELS, *CONTROLS]
    table = summary[summary.backbone.isin(["", backbone]) & summary.variant.isin(list(VARIANTS))]
    figure, panels = style.by_category(summary.category.unique(), 0.5 * len(names) + 0.8)
    for category, axes in panels:
        for row in table[(table.category == category) & table.model.isin(names)].itertuples():
            marker, strength, _ = VARIANTS[row.variant]
            shift = 0.24 * (list(VARIANTS).index(row.variant) - 1)
            _auroc(axes, row, names.index(row.model) + shift, marker, alpha=strength)
        style.auroc_rows(axes, names)
    axes.set_xlabel("image-level AUROC")
    style.key(figure, {text: marker for marker, _, text in VARIANTS.values()})
    return figure


def differences(pairs: pd.DataFrame) -> Figure:
    """Gain in AUROC of one model over another, with its interval, a mark a backbone.

    `pairs` are those of `comparisons.between_models`, with a column ``backbone``.
    """
    named = list(pairs.backbone.unique())
    steps = list(dict.fromkeys(zip(pairs["first"], pairs["second"], strict=True)))
    height = 0.6 * len(steps) + 0.8
    figure, panels = style.by_category(pairs.category.unique(), height, sharex=True)
    for category, axes in panels:
        for row in pairs[pairs.category == category].to_dict("records"):
            number = named.index(row["backbone"])
            at = steps.index((row["first"], row["second"])) + 0.2 * (number - (len(named) - 1) / 2)
            ends, colour = (row["low"], row["high"]), COLOURS[row["first"]]
            style.interval(axes, at, row["difference"], ends, colour, MARKERS[number], size=6)
        style.level(axes, 0, upright=True)
        texts = [f"{plain(first)}\nover {plain(second)}" for first, second in steps]
        style.name_rows(axes, [first for first, _ in steps], texts=texts)
    axes.set_xlabel("difference in image-level AUROC")
    style.key(figure, _marks(named))
    return figure


def by_type(kinds: pd.DataFrame, category: str) -> Figure:
    """One mark a model for each row of `comparisons.by_defect_type`."""
    table = kinds[(kinds.category == category) & kinds.model.isin(MODELS)]
    names = list(table.defect_type.unique())
    figure, (axes,) = style.stack(1, 0.5 * len(names) + 1)
    for y, name in enumerate(names):
        rows = table[table.defect_type == name]
        axes.plot([rows.auroc.min(), rows.auroc.max()], [y, y], color="#D0D0D0")
        for row in rows.itertuples():
            axes.plot(row.auroc, y, "o", color=COLOURS[row.model], markersize=8)
    style.auroc_rows(axes, names)
    style.model_key(figure, MODELS)
    axes.set_xlabel("image-level AUROC")
    return figure


def published(both: pd.DataFrame) -> Figure:
    """AUROC on metal nut against screw, from `text.beside`: published grey, ours in colour."""
    figure, (axes,) = style.stack(1, 4.6)
    ours = both.source == "this study"
    rows = both[~ours].dropna(subset=["metal_nut", "screw"])
    axes.plot(rows.metal_nut, rows.screw, "o", color="#9A9A9A", markersize=5, alpha=0.8)
    for name in ("GANomaly", "DFKDE", "FRE (linear)", "DFR", "FastFlow"):
        for row in rows[rows.method == name].tail(1).itertuples():
            where = (row.metal_nut - 0.015, row.screw)
            axes.annotate(name, where, color="#5A5A5A", fontsize=SMALL, ha="right", va="center")
    for model in MODELS:
        rows = both[ours & (both.method == model)]
        axes.plot(rows.metal_nut, rows.screw, "D", color=COLOURS[model], markersize=8)
    style.model_key(figure, MODELS, "D")
    axes.plot([0, 1], [0, 1], color="#B0B0B0", linestyle=":", linewidth=1)
    axes.set(xlabel="metal nut, AUROC", ylabel="screw, AUROC", xlim=(0.2, 1.02), ylim=(0.2, 1.02))
    return figure


def _auroc(axes: Axes, row, y: float, marker: str, **options) -> None:
    """One row of the summary as an AUROC with its bootstrap interval."""
    ends = (row.auroc_ci_low, row.auroc_ci_high)
    colour = COLOURS.get(row.model, GREY)
    style.interval(axes, y, row.auroc_mean, ends, colour, marker, **options)


def _marks(backbones: Sequence[str]) -> dict[str, str]:
    """The marker of each backbone, by what a page calls it."""
    names = [BACKBONES.get(name, plain(name)) for name in backbones]
    return dict(zip(names, MARKERS, strict=False))

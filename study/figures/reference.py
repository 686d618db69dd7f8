"""The figures of the reference results: intervals drawn, one colour a model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures import style
from study.figures.matrices import numbers_on_colour
from study.figures.style import BLACK, COLOURS, DIM, GREY, MARKERS, SMALL
from study.names import CLAIMS, CONTROL, KINDS, LARGER, MAIN, MODELS, label, name_of, plain
from study.tables.reference import of_model, select

BACKBONES = {
    "": "no backbone",
    "resnet50-he": "ResNet-50 of He et al., layer2 + layer3",
    "resnet50": "ResNet-50 of torchvision, layer2",
    "efficientnet_lite0": "EfficientNet-Lite0",
}
"""What a page calls the backbones of the reference results."""
NAMED = ("GANomaly", "DFKDE", "FRE (linear)", "DFR")
"""Published methods whose names stand beside their marks."""


def means(summary: pd.DataFrame, across: pd.DataFrame) -> Figure:
    """The mean AUROC of each model over parts with its interval; small dots: the parts.

    `across` has a row a model: ``model``, ``variant``, ``value``, ``low`` and ``high``.
    """
    figure, (axes,) = style.stack(1, 0.36 * len(across) + 0.9)
    for y, row in enumerate(across.itertuples()):
        own = select(summary, variant=row.variant, **of_model(row.model, MAIN))
        colour = COLOURS[row.model]
        axes.plot(own.auroc_mean, [y] * len(own), "|", color=colour, alpha=0.6, markersize=9)
        face = "white" if row.variant == LARGER else colour
        style.interval(axes, y, row.value, (row.low, row.high), colour, markerfacecolor=face)
        style.at_end(axes, row.model, f"{row.value:.3f}", y)
    texts = [name_of(row.model, row.variant) for row in across.itertuples()]
    style.name_rows(axes, list(across.model), texts=texts)
    style.level(axes, 0.5, upright=True)
    axes.annotate("chance", (0.51, -0.42), color=DIM, fontsize=SMALL, va="center")
    axes.set(xlim=(0.2, 1.02), xlabel="image-level AUROC")
    return figure


def parts(summary: pd.DataFrame, backbone: str) -> Figure:
    """AUROC of every model on every part with its interval: a band a part, a mark a model.

    Hollow: patchcore with larger images. Below the models brightness alone, with no detector.
    """
    rows = shown_rows(summary, backbone)
    names = list(rows.category.unique())
    figure, (axes,) = style.stack(1, 0.8 * len(names) + 1)
    kinds = [*KINDS, (CONTROL, "plain")]
    shifts = dict(zip(kinds, np.linspace(-0.34, 0.34, len(kinds)), strict=True))
    style.banded(axes, len(names))
    for row in rows.itertuples():
        larger = {"markerfacecolor": "white"} if row.variant == LARGER else {}
        y = names.index(row.category) + shifts[row.model, row.variant]
        _auroc(axes, row, y, "o", size=5, **larger)
    for claim in CLAIMS.values():
        axes.axvline(claim, color=BLACK, linewidth=1, zorder=-1)
        text = {"ha": "center", "va": "bottom", "fontsize": SMALL, "annotation_clip": False}
        axes.annotate(f"claimed {claim:g}", (claim, -0.55), **text)
    style.name_rows(axes, names)
    axes.set(xlim=(0, 1.02), ylim=(len(names) - 0.5, -0.5), xlabel="image-level AUROC")
    style.level(axes, 0.5, upright=True)
    marks = {label(name): {"color": COLOURS[name]} for name in (*MODELS, CONTROL)}
    hollow = {"color": COLOURS["patchcore"], "markerfacecolor": "white"}
    style.key(figure, marks | {name_of("patchcore", LARGER): hollow}, columns=2)
    return figure


def shown_rows(summary: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """The rows of `parts`: models and brightness, parts by the AUROC of combined, best first."""
    named = summary.model.isin([*MODELS, CONTROL]) & summary.variant.eq("plain")
    larger = summary.model.eq("patchcore") & summary.variant.eq(LARGER)
    rows = summary[(named | larger) & summary.backbone.isin(["", backbone])]
    combined = select(rows, model="combined").set_index("category").auroc_mean
    order = combined.sort_values(ascending=False, kind="stable").index
    return rows.sort_values("category", key=lambda names: names.map(order.get_loc), kind="stable")


def matrix(summary: pd.DataFrame, backbone: str) -> Figure:
    """AUROC as numbers on colour: a row a part with its test images, a column a model."""
    rows = shown_rows(summary, backbone)
    rows = rows.assign(column=[name_of(row.model, row.variant) for row in rows.itertuples()])
    values = rows.pivot(index="category", columns="column", values="auroc_mean")
    kinds = [*KINDS, (CONTROL, "plain")]
    counts = rows.drop_duplicates("category").set_index("category")
    texts = [
        f"{plain(name)} ({counts.n_normal[name]} + {counts.n_anomalous[name]})"
        for name in values.index
    ]
    return numbers_on_colour(values[[name_of(*kind) for kind in kinds]], texts)


def differences(pairs: pd.DataFrame) -> list[Figure]:
    """Gain in AUROC of one model over another: a panel a pair, a row a part, a mark a backbone.

    `pairs` are those of `comparisons.between_models`, with a column ``backbone``.
    """
    named, names = list(pairs.backbone.unique()), list(pairs.category.unique())
    steps = list(dict.fromkeys(zip(pairs["first"], pairs["second"], strict=True)))
    panels = style.separate(len(steps), 0.3 * len(names) + 1.8)
    for (first, second), axes in zip(steps, panels, strict=True):
        rows = pairs[(pairs["first"] == first) & (pairs["second"] == second)]
        for row in rows.itertuples():
            number = named.index(row.backbone)
            at = names.index(row.category) + 0.22 * (number - (len(named) - 1) / 2)
            ends, marker = (row.low, row.high), MARKERS[number]
            style.interval(axes, at, row.difference, ends, COLOURS[first], marker, size=5)
        style.level(axes, 0, upright=True)
        style.name_rows(axes, names)
        axes.set_title(f"{label(first)} less {label(second)}", loc="left")
        axes.set_xlim(pairs.low.min() - 0.02, pairs.high.max() + 0.02)
        axes.set_xlabel("difference in image-level AUROC")
        style.key(axes.figure, _marks(named))
    return [axes.figure for axes in panels]


def layers(summary: pd.DataFrame, backbone: str) -> Figure:
    """AUROC of *combined* and *patchcore* with each layer alone and with both: a band a part."""
    models, names = ("combined", "patchcore"), list(summary.category.unique())
    marks = {"layer2": "v", "layer3": "^", "plain": "o"}
    rows = summary[summary.model.isin(models) & (summary.backbone == backbone)]
    figure, (axes,) = style.stack(1, 0.55 * len(names) + 1.2)
    style.banded(axes, len(names))
    for row in rows[rows.variant.isin(list(marks))].itertuples():
        y = names.index(row.category) + (0.18 if row.model == "patchcore" else -0.18)
        shift = 0.08 * (list(marks).index(row.variant) - 1)
        hollow = {} if row.variant == "plain" else {"markerfacecolor": "white"}
        _auroc(axes, row, y + shift, marks[row.variant], size=5, **hollow)
    style.name_rows(axes, names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="image-level AUROC")
    shapes = {"layer2 alone": "v", "layer3 alone": "^", "both": "o"}
    style.key(figure, {label(m): {"color": COLOURS[m]} for m in models} | shapes, columns=3)
    return figure


def published(both: pd.DataFrame) -> Figure:
    """AUROC on metal nut against screw: each published method once, grey; ours in colour.

    `both` is of `text.beside`. Of a method that was read with several backbones the row with the
    highest AUROC on screw is drawn.
    """
    figure, (axes,) = style.stack(1, 4.6)
    ours = both.source == "this study"
    rows = both[~ours].dropna(subset=["metal_nut", "screw"])
    rows = rows.sort_values("screw").drop_duplicates("method", keep="last")
    axes.plot(rows.metal_nut, rows.screw, "o", color="#9A9A9A", markersize=5, alpha=0.8)
    for row in rows[rows.method.isin(NAMED)].itertuples():
        where = (row.metal_nut - 0.015, row.screw)
        axes.annotate(row.method, where, color=DIM, fontsize=SMALL, ha="right", va="center")
    for model in MODELS:
        rows = both[ours & (both.method == model)]
        axes.plot(rows.metal_nut, rows.screw, "D", color=COLOURS[model], markersize=7)
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

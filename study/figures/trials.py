"""The figures of what was tried: errors by rarity, parts taken away, how it was chosen."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from study.figures import style
from study.figures.style import BLACK, COLOURS, GREY, NORMAL
from study.names import LARGER, MAIN
from study.tables.reference import select

FAMILIES = {
    "FeatCAE": COLOURS["combined"],
    "density": COLOURS["autoencoder"],
    "patchcore": COLOURS["patchcore"],
    "kNN reconstruction": COLOURS["knn_reconstruction"],
}
"""Colours of what the trials are about."""
MARKED = (0, 0.8, 0.95, 0.99)
"""Shares that are written below the bins of rarity."""
TESTED = {
    "plain": ("o", "test images"),
    "brightness_normalised": ("D", "test images, one mean grey"),
    "pasted": ("X", "synthetic anomalies"),
}
"""Columns of the table ``trials``, their marks and what a page calls them."""


def by_rarity(bins: pd.DataFrame, titles: Sequence[str]) -> Figure:
    """Error of normal patches and of defects against how rare they are, a panel a detector.

    `bins` are rows of the table ``rarity`` of one category; `titles` are in the order
    in which ``family`` and ``trial`` appear there.
    """
    detectors = list(bins.groupby(["family", "trial"], sort=False))
    figure, (panels,) = style.grid(1, len(detectors), 3.1, sharey=True)
    for ((family, _), both), title, axes in zip(detectors, titles, panels, strict=True):
        for kind, colour, marker in (("normal", NORMAL, "o"), ("defect", FAMILIES[family], "s")):
            rows = both[both.kind == kind].reset_index(drop=True)
            axes.plot(rows.index, rows.error, color=colour, linewidth=1.5)
            sizes = 15 + 150 * rows.patches / rows.patches.sum()
            axes.scatter(rows.index, rows.error, s=sizes, color=colour, marker=marker, zorder=3)
        shares = both[both.kind == "normal"].above.tolist()
        marked = [at for at, share in enumerate(shares) if share in MARKED]
        axes.set_xticks(marked, [f"{shares[at]:.0%}" for at in marked])
        axes.set_title(title, loc="left", color=style.darker(FAMILIES[family], 0.8))
        axes.set_xlabel("rarer than")
    panels[0].set_ylabel("error, normal mean = 1")
    good = {"marker": "o", "color": NORMAL, "linestyle": "-"}
    touched = {"marker": "s", "color": BLACK, "linestyle": "-"}
    style.key(figure, {"normal test images": good, "touched by a defect": touched}, columns=2)
    return figure


def beside_patchcore(summary: pd.DataFrame) -> Figure:
    """KNN reconstruction and PatchCore at its image size: a row a part, with intervals."""
    models = {"knn_reconstruction": "plain", "patchcore": LARGER}
    names = list(summary.category.unique())
    figure, (axes,) = style.stack(1, 0.4 * len(names) + 1.2)
    style.banded(axes, len(names))
    for shift, (model, variant) in zip((-0.15, 0.15), models.items(), strict=True):
        which = {"model": model, "variant": variant, "backbone": MAIN}
        for row in select(summary, **which).itertuples():
            ends = (row.auroc_ci_low, row.auroc_ci_high)
            y = names.index(row.category) + shift
            style.interval(axes, y, row.auroc_mean, ends, COLOURS[model], size=5)
    style.name_rows(axes, names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="image-level AUROC")
    style.model_key(figure, list(models))
    return figure


def trials(table: pd.DataFrame, chosen: str) -> Figure:
    """AUROC of some trials of one category, one row each, by three kinds of images.

    The values of the chosen one, from which the others differ, are dotted lines.
    """
    figure, (axes,) = style.stack(1, 0.3 * len(table) + 1.3)
    usual = table[table.trial == chosen].iloc[0]
    for column, (marker, _) in TESTED.items():
        axes.axvline(usual[column], color=GREY, linestyle=":", linewidth=0.8)
        for y, row in enumerate(table.itertuples()):
            colour = FAMILIES[row.family]
            marks = {"color": colour, "mfc": _face(marker, colour), "markersize": 6}
            faint = 0.45 if column == "pasted" else 1
            axes.plot(getattr(row, column), y, marker, alpha=faint, **marks)
    style.name_rows(axes, table.trial.tolist(), texts=table.trial.tolist())
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == chosen else "normal")
    axes.grid(axis="x", color="#EEEEEE")
    axes.set_xlabel("image-level AUROC")
    marks = {name: {"marker": m, "mfc": _face(m, "#444444")} for m, name in TESTED.values()}
    style.key(figure, marks)
    return figure


def choice(table: pd.DataFrame, chosen: str) -> Figure:
    """What was looked at when choosing, against what it was worth: a dot a trial."""
    figure, panels = style.by_category(table.category.unique(), 3.2, across=True)
    for category, axes in panels:
        for row in table[table.category == category].itertuples():
            marks = {"marker": "o", "markersize": 6, "markeredgecolor": "w"}
            if row.family == "kNN reconstruction" and row.trial == chosen:
                marks = {"marker": "*", "markersize": 13, "markeredgecolor": BLACK, "zorder": 5}
            axes.plot(row.pasted, row.plain, color=FAMILIES[row.family], **marks)
        axes.set_xlabel("AUROC, synthetic anomalies")
    figure.axes[0].set_ylabel("AUROC, test images")
    marks = {family: {"color": colour} for family, colour in FAMILIES.items()}
    style.key(figure, marks, columns=4, columnspacing=1)
    return figure


def _face(marker: str, colour: str) -> str:
    return "white" if marker == "D" else colour

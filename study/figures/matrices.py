"""AUROC as numbers on colour: a row a category or a defect type, a column a model."""

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from study.figures import style
from study.figures.style import BLACK, SMALL
from study.names import MODELS, label, plain


def numbers_on_colour(values: pd.DataFrame, rows: Sequence[str]) -> Figure:
    """AUROCs (R, M), each on its colour; `rows` are the texts beside them, columns may be models.

    Blue is above chance, red below it.
    """
    figure, (axes,) = style.stack(1, 0.36 * len(values) + 1.2)
    look = {"cmap": "RdBu", "vmin": 0, "vmax": 1, "cbar": False, "linewidths": 1.5}
    sns.heatmap(values, annot=True, fmt=".3f", annot_kws={"fontsize": SMALL}, ax=axes, **look)
    names = [label(name).replace(", ", ",\n").replace(" + ", "\n+ ") for name in values]
    names = [name if "\n" in name else name.replace(" ", "\n") for name in names]
    axes.set_xticklabels(names, rotation=0, fontsize=SMALL - 1.5)
    axes.set_yticklabels(rows, rotation=0)
    axes.set(xlabel="", ylabel="")
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for tick, name in zip(axes.get_xticklabels(), values, strict=True):
        tick.set_color(style.ink(name) if name in style.COLOURS else BLACK)
    return figure


def by_type(kinds: pd.DataFrame, category: str) -> Figure:
    """Each defect type of a category, of `comparisons.by_defect_type`; its images in brackets."""
    own = kinds[(kinds.category == category) & kinds.model.isin(MODELS)]
    table = own.pivot(index="defect_type", columns="model", values="auroc")[[*MODELS]]
    counts = own.drop_duplicates("defect_type").set_index("defect_type").images
    return numbers_on_colour(table, [f"{plain(kind)} ({counts[kind]})" for kind in table.index])

"""Anomaly maps on the models' own grids: no pixel of an image, the defect outlined."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures import style
from study.figures.style import SMALL
from study.names import label, plain

KINDS = ("clear hit", "median defect", "worst miss", "most suspicious normal")
"""The columns, of the table ``examples``."""


def examples(
    table: pd.DataFrame, arrays: Mapping[str, np.ndarray], thresholds: Mapping[str, float]
) -> Figure:
    """Maps of one category, a row a model; 1 is the model's threshold.

    `table` has rows of ``examples``, `arrays` their maps and masks, `thresholds` that of seed 0
    by the names of the arrays.
    """
    names = list(table.arrays.unique())
    figure, rows = style.bare(len(names), len(KINDS), 1.55)
    for name, panels in zip(names, rows, strict=True):
        own = table[table.arrays == name].set_index("kind")
        maps, masks = (arrays[f"{name} {what}"] for what in ("maps", "masks"))
        for axes, kind, each, mask in zip(panels, KINDS, maps, masks, strict=True):
            side, share = len(mask), own.score[kind] / thresholds[name]
            image = each.astype(float) / thresholds[name]
            drawn = axes.imshow(
                image, cmap="cividis", vmin=0, vmax=2, extent=(-0.5, side - 0.5, side - 0.5, -0.5)
            )
            style.outline(axes, mask)
            text = f"{plain(own.defect_type[kind])}\n{share:.2f}"
            text = f"{kind.replace(' ', chr(10), 1)}\n\n{text}" if name == names[0] else text
            axes.set_title(text, fontsize=SMALL - 1, fontweight="normal")
        model, variant = own.model.iloc[0], own.variant.iloc[0]
        word = label(model) + ("" if variant == "plain" else f",\n{variant}")
        style.beside(panels[0], word, model)
    bar = {"orientation": "horizontal", "shrink": 0.6, "aspect": 30, "extend": "max"}
    figure.colorbar(drawn, ax=rows, label="map value ÷ threshold", **bar)
    return figure

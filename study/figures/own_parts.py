"""The figures of synthetic parts: one's own, and the defects of the page on the task."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from anomalylib.images.category import Category, resize
from study.figures import style
from study.names import plain


def contact_sheet(category: Category, side: int = 160) -> Figure:
    """Normal images above, one of each defect type below, its mask outlined."""
    kinds = sorted(set(category.test.defect_types) - {"good"})
    figure, rows = style.grid(2, len(kinds), 1.45)
    for number, kind in enumerate(kinds):
        style.image(rows[0, number], resize(category.train[number], side), "normal")
        index = category.test.defect_types.index(kind)
        style.image(rows[1, number], resize(category.test[index], side), plain(kind))
        style.outline(rows[1, number], category.test.mask(index, side))
    return figure


def synthetic_defects(made: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Synthetic images by part and kind, a row a part, the defects outlined."""
    parts = list(dict.fromkeys(part for part, _ in made))
    figure, rows = style.grid(len(parts), len(made) // len(parts), 1.5)
    for axes, ((_, kind), (pixels, mask)) in zip(rows.ravel(), made.items(), strict=True):
        style.image(axes, pixels, plain(kind))
        style.outline(axes, mask, "#E69F00")
    return figure

"""The figure of the chapter on one's own parts."""

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

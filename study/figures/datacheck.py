"""How a page shows what the checks of the data look at: the light, and the suspects as images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anomalylib.images.category import resize
from study.datacheck import copies
from study.datacheck.check import Check
from study.datacheck.checks import strangeness
from study.datacheck.survey import VIEW, Survey
from study.figures import style
from study.figures.style import ANOMALOUS, BLACK, NORMAL, SMALL, THRESHOLD
from study.names import plain


def sample(found: Survey, seed: int) -> Figure:
    """Normal images to learn from above, below them two normal and two anomalous test images."""
    random = np.random.default_rng(seed)
    own, chosen = found.read, []
    normal = own.label == 0
    for which, count in ((own.set == "train", 4), ((own.set == "test") & normal, 2), (~normal, 2)):
        rows = own.index[which].to_numpy()
        chosen += sorted(random.choice(rows, min(count, len(rows)), replace=False))
    titles = [_kind(own.loc[row]) for row in chosen]
    return _images(found, chosen, titles)


def light(found: Survey) -> Figure:
    """Mean grey and contrast of every image: training, normal and anomalous test images."""
    own = found.read
    test = own.set == "test"
    groups = {
        "training": own.set == "train",
        "test, normal": test & (own.label == 0),
        "test, anomalous": own.label == 1,
    }
    figure, panels = style.stack(2, 1.9)
    titles = {"mean_grey": "brightness: mean grey value", "contrast": "contrast: deviation of it"}
    for (column, title), axes in zip(titles.items(), panels, strict=True):
        values = {f"{which.sum()} {name}": own[column][which] for name, which in groups.items()}
        style.strewn(axes, values, (BLACK, NORMAL, ANOMALOUS))
        for y, each in enumerate(values.values()):
            if len(each):
                axes.plot([each.median()] * 2, [y - 0.4, y + 0.4], color=THRESHOLD, linewidth=1.5)
        axes.set_title(title, loc="left")
    panels[-1].set_xlabel("grey values, 0 to 255")
    return figure


def most_alike(found: Survey) -> Figure:
    """The pairs of images that are most alike, equal ones first; red where it is too much."""
    own = found.read
    pairs = copies.pairs(found.thumbnails[own.index], own.pixels.tolist()).head(4)
    chosen = own.index[pairs[["first", "second"]].to_numpy().ravel()]
    titles = ["/\n".join(found.images.image[row].rsplit("/", 1)) for row in chosen]
    for number, correlation in enumerate(pairs.correlation):
        titles[2 * number + 1] += f"\nr = {correlation:.4f}"
    red = np.repeat(pairs.alike != "", 2).tolist()
    return _images(found, chosen, titles, red)


def least_usual(found: Survey, blurred: Check, unlike: Check) -> Figure:
    """The least sharp normal images above, those most unlike the others below."""
    own = found.read[found.read.label == 0]
    if own.empty:
        return _images(found, [], [])
    dull = own.sharpness.nsmallest(4)
    strange = strangeness(found)
    far = strange.most.nlargest(4)
    titles = [f"sharpness\n{value:.3f}" for value in dull]
    titles += [f"deviations\n{value:.1f}" for value in far]
    names = found.images.image
    red = [*names[dull.index].isin(blurred.table["image"])]
    red += [*names[far.index].isin(unlike.table["image"])]
    return _images(found, [*dull.index, *far.index], titles, red)


def outlined(found: Survey) -> Figure:
    """The smallest and the largest masks, drawn over their images."""
    whole = found.masks[found.masks.reason == ""].sort_values("area")
    ends = pd.concat([whole.head(4), whole.iloc[4:].tail(4)])
    rows = found.images.reset_index().set_index("image")["index"]
    ends = ends[ends.image.isin(found.read.image)]
    chosen = [rows[name] for name in ends.image]
    kinds = [_kind(found.images.loc[row]) for row in chosen]
    titles = [f"{kind}\n{area:.1%}" for kind, area in zip(kinds, ends.area, strict=True)]
    figure = _images(found, chosen, titles, empty="no masks to show")
    test = found.category.test
    for axes, name in zip(figure.axes, ends.image, strict=False):
        style.outline(axes, test.mask(test.names.index(name), VIEW), "#E69F00")
    return figure


def _kind(row: pd.Series) -> str:
    """What an image's title says of it."""
    return plain(row.defect_type) if row.label else f"{row.set}, good"


def _images(
    found: Survey,
    rows: Sequence[int],
    titles: Sequence[str],
    red: Sequence[bool] = (),
    empty: str = "nothing to show",
) -> Figure:
    """Some images, four in a row, as squares; the titles of some in red."""
    figure, panels = style.bare(max(1, -(-len(rows) // 4)), 4, 1.65)
    if not len(rows):
        panels[0, 0].annotate(empty, (0, 0.5), xycoords="axes fraction", color=BLACK)
    marks = list(red) or [False] * len(rows)
    for axes, row, title, mark in zip(panels.ravel(), rows, titles, marks, strict=False):
        pixels, colour = resize(found.image(row), VIEW), THRESHOLD if mark else BLACK
        style.image(axes, pixels, title, colour, fontsize=SMALL - 1)
    return figure

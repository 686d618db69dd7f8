"""How a page shows what the checks of the data look at: the light, and the suspects as images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anomalylib.images.category import resize
from anomalylib.images.reading import read_image
from study.datacheck import copies
from study.datacheck.check import Check
from study.datacheck.checks import strangeness
from study.datacheck.survey import VIEW, Survey
from study.figures import style
from study.figures.style import ANOMALOUS, BLACK, NORMAL, SMALL, THRESHOLD
from study.names import plain


def sample(found: Survey, seed: int) -> Figure:
    """Normal pictures to learn from above, below them two normal and two anomalous to judge.

    Parameters
    ----------
    found : Survey
    seed : int
        Which are drawn.
    """
    random = np.random.default_rng(seed)
    own, chosen = found.read, []
    groups = ((own.set == "train", 4), ((own.set == "test") & (own.label == 0), 2))
    for which, count in (*groups, (own.label == 1, 2)):
        rows = own.index[which].to_numpy()
        chosen += sorted(random.choice(rows, min(count, len(rows)), replace=False))
    titles = [_kind(own.loc[row]) for row in chosen]
    return _pictures(found, chosen, titles)


def light(found: Survey) -> Figure:
    """Mean grey and contrast of every picture: training, normal and anomalous test images."""
    own = found.read
    test = own.set == "test"
    groups = {
        "training": (~test, BLACK),
        "test, normal": (test & (own.label == 0), NORMAL),
        "test, anomalous": (own.label == 1, ANOMALOUS),
    }
    figure, panels = style.stack(2, 1.9)
    titles = {"mean_grey": "brightness: mean grey value", "contrast": "contrast: deviation of it"}
    for (column, title), axes in zip(titles.items(), panels, strict=True):
        values = {
            f"{which.sum()} {name}": own[column][which] for name, (which, _) in groups.items()
        }
        style.strewn(axes, values, [colour for _, colour in groups.values()])
        for y, each in enumerate(values.values()):
            if len(each):
                axes.plot([each.median()] * 2, [y - 0.4, y + 0.4], color=THRESHOLD, linewidth=1.5)
        axes.set_title(title, loc="left")
    panels[-1].set_xlabel("grey values, 0 to 255")
    return figure


def most_alike(found: Survey) -> Figure:
    """The pairs of pictures that are most alike, equal ones first; red where it is too much."""
    own = found.read
    pairs = copies.pairs(found.thumbnails[own.index], own.pixels.tolist()).head(4)
    chosen = own.index[pairs[["first", "second"]].to_numpy().ravel()]
    titles = ["/\n".join(found.images.image[row].rsplit("/", 1)) for row in chosen]
    for number, correlation in enumerate(pairs.correlation):
        titles[2 * number + 1] += f"\nr = {correlation:.4f}"
    red = np.repeat(pairs.alike != "", 2).tolist()
    return _pictures(found, chosen, titles, red)


def least_usual(found: Survey, blurred: Check, unlike: Check) -> Figure:
    """The least sharp normal pictures above, those most unlike the others below."""
    own = found.read[found.read.label == 0]
    if own.empty:
        return _pictures(found, [], [])
    strange = strangeness(found)
    most = strange.most.sort_values(ascending=False, kind="stable").head(4)
    chosen = [*own.sharpness.nsmallest(4).index, *most.index]
    titles = [f"sharpness\n{own.sharpness[row]:.3f}" for row in chosen[: len(chosen) // 2]]
    titles += [f"deviations\n{value:.1f}" for value in most]
    flagged = [set(check.table["image"]) for check in (blurred, unlike)]
    half = len(chosen) // 2
    red = [found.images.image[row] in flagged[at >= half] for at, row in enumerate(chosen)]
    return _pictures(found, chosen, titles, red)


def outlined(found: Survey) -> Figure:
    """The smallest and the largest masks, drawn over their pictures."""
    whole = found.masks[found.masks.fits.eq(True)].sort_values("area")
    ends = pd.concat([whole.head(4), whole.iloc[4:].tail(4)])
    rows = found.images.reset_index().set_index("image")["index"]
    ends = ends[ends.image.isin(found.read.image)]
    chosen = [rows[name] for name in ends.image]
    titles = [
        f"{_kind(found.images.loc[row])}\n{area:.1%}"
        for row, area in zip(chosen, ends.area, strict=True)
    ]
    figure = _pictures(found, chosen, titles, empty="no masks to show")
    folder = found.category.test.folder
    for axes, name in zip(figure.axes, ends["mask"], strict=False):
        style.outline(axes, resize(read_image(folder / name), VIEW)[..., 0] > 127, "#E69F00")
    return figure


def _kind(row: pd.Series) -> str:
    """What a picture's title says of it."""
    return plain(row.defect_type) if row.label else f"{row.set}, good"


def _pictures(
    found: Survey,
    rows: Sequence[int],
    titles: Sequence[str],
    red: Sequence[bool] = (),
    empty: str = "nothing to show",
) -> Figure:
    """Some pictures, four in a row, as squares; the titles of some in red."""
    lines = max(1, -(-len(rows) // 4))
    figure, panels = style.grid(lines, 4, 1.65)
    for axes in panels.ravel():
        axes.set_axis_off()
    if not len(rows):
        panels[0, 0].annotate(empty, (0, 0.5), xycoords="axes fraction", color=BLACK)
    marks = list(red) or [False] * len(rows)
    for axes, row, title, mark in zip(panels.ravel(), rows, titles, marks, strict=False):
        pixels, colour = resize(read_image(found.path(row)), VIEW), THRESHOLD if mark else BLACK
        style.image(axes, pixels, title, colour, fontsize=SMALL - 1)
    return figure

"""How a page shows the checks of the data: verdicts in a table, the suspects as pictures."""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalylib.images.category import resize
from anomalylib.images.reading import read_image
from study.datacheck import copies
from study.datacheck.check import LOOK, OK, STOP, Check, summary
from study.datacheck.checks import strangeness
from study.datacheck.survey import VIEW, Survey
from study.figures import style as look
from study.figures.style import BLACK, NORMAL, SMALL, THRESHOLD
from study.names import plain
from study.tables.text import table

MARKS = {OK: ("●", "#009E73"), LOOK: ("▲", "#D55E00"), STOP: ("■", "#D00000")}
"""Shape and colour of a verdict, so that either is enough."""
LONGEST = 20
"""Rows of a table on a page; the others are counted."""


def summary_table(checks: Sequence[Check]) -> HTML:
    """All verdicts, one row a check."""
    text = table(summary(checks)).data
    for verdict in MARKS:
        text = text.replace(f"<td>{verdict}</td>", f"<td>{_mark(verdict)}</td>")
    return HTML(text)


def shown(check: Check) -> HTML:
    """One check as a page shows it: verdict, sentence, table."""
    said = f"<p>{_mark(check.verdict)} {html.escape(check.said)}</p>"
    if check.table.empty:
        return HTML(said)
    more = len(check.table) - LONGEST
    rest = f"<p>… and {more} more.</p>" if more > 0 else ""
    return HTML(said + table(check.table.head(LONGEST), digits=4).data + rest)


def _mark(verdict: str) -> str:
    sign, colour = MARKS[verdict]
    style = f'style="color:{colour}" aria-hidden="true"'
    return f"<span {style}>{sign}</span> <strong>{verdict}</strong>"


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
        "test, anomalous": (own.label == 1, "#CC79A7"),
    }
    figure, panels = look.stack(2, 1.9)
    random = np.random.default_rng(0)
    titles = {"mean_grey": "brightness: mean grey value", "contrast": "contrast: deviation of it"}
    for (column, title), axes in zip(titles.items(), panels, strict=True):
        for y, (which, colour) in enumerate(groups.values()):
            values = own[column][which]
            style = {"color": colour, "alpha": 0.7, "markersize": 3.5}
            axes.plot(values, y + random.uniform(-0.28, 0.28, len(values)), ".", **style)
            if len(values):
                axes.plot([values.median()] * 2, [y - 0.4, y + 0.4], color=THRESHOLD, linewidth=1.5)
        axes.set_yticks(range(3), [f"{which.sum()} {name}" for name, (which, _) in groups.items()])
        axes.set_ylim(2.6, -0.6)
        axes.set_title(title, loc="left")
    panels[-1].set_xlabel("grey values, 0 to 255")
    return figure


def most_alike(found: Survey) -> Figure:
    """The pairs of pictures that are most alike, equal ones first; red where it is too much."""
    own = found.read
    pixels, thumbnails = own.pixels.tolist(), found.thumbnails[own.index]
    equal, near = copies.exact(pixels), copies.near(thumbnails, pixels)
    pairs = (equal + copies.closest(thumbnails, pixels)[0])[:4]
    chosen = [own.index[row] for pair in pairs for row in pair[:2]]
    titles = ["/\n".join(found.images.image[row].rsplit("/", 1)) for row in chosen]
    for number, pair in enumerate(pairs):
        titles[2 * number + 1] += f"\nr = {pair.correlation:.4f}"
    red = [pair in (*equal, *near) for pair in pairs for _ in range(2)]
    return _pictures(found, chosen, titles, red)


def least_usual(found: Survey, blurred: Check, unlike: Check) -> Figure:
    """The least sharp normal pictures above, those most unlike the others below."""
    own = found.read[found.read.label == 0]
    if own.empty:
        return _pictures(found, [], [])
    strange = strangeness(found)
    most = np.column_stack([strange.brightness.abs(), strange.contrast.abs(), strange.distance])
    order = np.argsort(-most.max(axis=1), kind="stable")[:4]
    chosen = list(own.sharpness.nsmallest(4).index) + list(strange.index[order])
    titles = [f"sharpness\n{own.sharpness[row]:.3f}" for row in chosen[: len(chosen) // 2]]
    titles += [f"deviations\n{most[at].max():.1f}" for at in order]
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
        mask = resize(read_image(folder / name), VIEW)[..., 0] > 127
        if mask.any():
            axes.contour(mask, levels=[0.5], colors="#E69F00", linewidths=1)
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
    figure, grid = look.grid(lines, 4, 1.65)
    for axes in grid.ravel():
        axes.set_axis_off()
    if not len(rows):
        grid[0, 0].annotate(empty, (0, 0.5), xycoords="axes fraction", color=BLACK)
    marks = list(red) or [False] * len(rows)
    for axes, row, title, mark in zip(grid.ravel(), rows, titles, marks, strict=False):
        _picture(axes, resize(read_image(found.path(row)), VIEW), title, mark)
    return figure


def _picture(axes: Axes, image: np.ndarray, title: str, red: bool) -> None:
    axes.imshow(image)
    colour = THRESHOLD if red else BLACK
    style = {"fontsize": SMALL - 1, "fontweight": "normal", "color": colour}
    axes.set_title(title, parse_math=False, **style)  # a file's name is no formula

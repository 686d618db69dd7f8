"""The figures of one build: histograms, ROC, ablation, heat maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalylib.images.category import ImageSet, resize
from anomalylib.metrics import image as metrics
from anomalylib.metrics import intervals
from study.figures import style as look
from study.figures.normal_only import false_alarm_curves, false_alarm_panel
from study.figures.style import BLACK, COLOURS, GREY, SMALL
from study.names import CLAIMS, CONTROL, plain
from study.tables.results import Result


def histogram(result: Result, axes: Axes | None = None) -> Figure:
    """Scores of the test images by class, with the threshold in red."""
    if axes is None:
        _, (axes,) = look.stack(1, 3.1)
    scores, labels = np.array(result.scores), np.array(result.labels)
    counts = result.confusion
    normal = counts.false_alarm + counts.true_normal
    note = f"mean + {result.settings['sigma']:g}σ\n"
    note += f"recall {counts.recall:.0%}\n" if result.has_anomalous else ""
    note += f"false alarms {counts.false_alarm} of {normal}"
    look.histogram(axes, result.arm, scores, labels, result.threshold, note)
    axes.set_title(f"{plain(result.category)}: {plain(result.arm)}", loc="left", pad=20)
    return axes.figure


def histograms(results: Sequence[Result]) -> Figure:
    """One `histogram` below the other for all arms of a category."""
    figure, panels = look.stack(len(results), 2.7)
    for result, axes in zip(results, panels, strict=True):
        histogram(result, axes)
        axes.set_title(plain(result.arm), loc="left", pad=20)
    for axes in panels[:-1]:
        axes.set_xlabel("")
    return figure


def roc(results: Sequence[Result]) -> Figure:
    """ROC curves of all arms of one category, the threshold marked on each.

    Without anomalous images there are none, and false alarms take their place.
    """
    if not results[0].has_anomalous:
        return false_alarm_curves(results)
    figure, (axes,) = look.stack(1, 4.6 + 0.2 * len(results))
    look.chance_diagonal(axes)
    for result in results:
        labels, scores = np.array(result.labels), np.array(result.scores)
        colour, counts = COLOURS[result.arm], result.confusion
        low, high = intervals.bootstrap(intervals.win_matrix(labels, scores))[1:]
        text = f"{plain(result.arm)}  {result.auroc:.3f}  [{low:.3f}, {high:.3f}]"
        axes.plot(*metrics.roc(labels, scores), color=colour, linewidth=2.2, label=text)
        axes.plot(counts.false_positive_rate, counts.recall, "o", color=colour, markersize=8)
    axes.set_title(f"{plain(results[0].category)}: ROC", loc="left")
    look.roc_key(figure, axes)
    return figure


def ablation_chart(results: Sequence[Result], claims: bool = True) -> Figure:
    """AUROC of every arm and of the brightness control, one panel a category.

    Where a category has no anomalous images: false alarms, with their bound.

    Parameters
    ----------
    results : sequence of Result
    claims : bool
        Whether to mark what the original report claims.
    """
    categories = list(dict.fromkeys(result.category for result in results))
    figure, panels = look.stack(len(categories), 2.5, sharex=True)
    for category, axes in zip(categories, panels, strict=True):
        mine = [result for result in results if result.category == category]
        if not mine[0].has_anomalous:
            false_alarm_panel(axes, mine)
            continue
        labels = np.array(mine[0].labels)
        scores = {result.arm: result.scores for result in mine} | {CONTROL: mine[0].mean_grey}
        for y, (arm, values) in enumerate(scores.items()):
            found = intervals.bootstrap(intervals.win_matrix(labels, np.array(values)))
            axes.plot([found.low, found.high], [y, y], color=COLOURS[arm], linewidth=2.5)
            axes.plot(found.value, y, "o", color=COLOURS[arm], markersize=8)
            auroc_text(axes, arm, found.value, y)
            if claims and arm in CLAIMS:
                claim_mark(axes, CLAIMS[arm], y)
        auroc_rows(axes, list(scores))
        axes.set_title(plain(category), loc="left")
    known = any(result.has_anomalous for result in results)
    panels[-1].set_xlabel("image-level AUROC" if known else "rate")
    return figure


def auroc_rows(axes: Axes, rows: Sequence[str]) -> None:
    """A panel with one row an arm, from 0 to 1, and the line of chance."""
    axes.axvline(0.5, color=GREY, linestyle=":", linewidth=1)
    axes.annotate("chance", (0.51, -0.75), color="#6A6A6A", fontsize=SMALL, va="center")
    axes.set_yticks(range(len(rows)), [plain(name) for name in rows])
    for label, name in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(look.ink(name))
    axes.set(xlim=(0, 1.02), ylim=(len(rows) - 0.5, -1))


def auroc_text(axes: Axes, arm: str, value: float, y: float) -> None:
    """The value itself, at the right end of its row."""
    where = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
    axes.annotate(f"{value:.3f}", (1.02, y), color=look.ink(arm), fontsize=SMALL, **where)


def claim_mark(axes: Axes, value: float, y: float, said: bool = True) -> None:
    """A black bar where the report claims a row to be, with its number if it is `said`."""
    axes.plot(value, y, marker="|", color=BLACK, markersize=17, markeredgewidth=2, zorder=0)
    if said:
        style = {"color": BLACK, "fontsize": SMALL, "ha": "right" if value > 0.8 else "center"}
        axes.annotate(f"claimed {value:g}", (value, y - 0.42), **style)


def losses(values: Sequence[float]) -> Figure:
    """Training loss of each epoch."""
    figure, (axes,) = look.stack(1, 2.4)
    axes.plot(range(1, len(values) + 1), values, color=BLACK, marker=".")
    axes.set(xlabel="epoch", ylabel="mean squared error", ylim=(0, None))
    axes.set_title("training loss", loc="left")
    return figure


def most_telling(result: Result) -> list[int]:
    """Indices of a clear hit, a weak one, a miss or near miss, and a false alarm.

    They are the highest and the median of the anomalous images, the lowest
    anomalous one and the highest normal one; without anomalous images, the
    highest normal ones.
    """
    order = np.argsort(result.scores)
    labels = np.array(result.labels)[order]
    anomalous, normal = order[labels == 1], order[labels == 0]
    if not len(anomalous):
        return [int(i) for i in normal[::-1][:4]]
    middle = anomalous[len(anomalous) // 2]
    return [int(i) for i in (anomalous[-1], middle, anomalous[0], normal[-1])]


def heat_maps(result: Result, images: ImageSet, maps: np.ndarray, side: int = 224) -> Figure:
    """Test images above, their anomaly maps below, the true mask outlined.

    Parameters
    ----------
    result : Result
    images : ImageSet
        The test images of its category.
    maps : ndarray, shape (N, H, W)
        Its anomaly maps.
    side : int
        Pixels a picture.
    """
    chosen = most_telling(result)
    figure, rows = look.grid(2, len(chosen), 1.55)
    # Up to twice the threshold, else one glaring defect darkens all others; down to the
    # threshold, else the maps of normal images glow.
    highest = np.quantile(maps[chosen], 0.999)
    brightest = np.clip(highest, result.threshold, 2 * result.threshold)
    limits = {"vmin": maps.min(), "vmax": brightest}
    for column, index in zip(rows.T, chosen, strict=True):
        picture, mask = resize(images[index], side), images.mask(index, side)
        called = "anomalous" if result.scores[index] > result.threshold else "normal"
        kind = plain(result.defect_types[index])
        column[0].imshow(picture)
        title = column[0].set_title(f"{kind}\ncalled\n{called}", fontsize=SMALL)
        title.set(fontweight="normal", parse_math=False)  # a folder's name is no formula
        column[1].imshow(picture.mean(axis=-1), cmap="gray", alpha=0.5)
        column[1].imshow(maps[index], cmap="magma", alpha=0.75, extent=(0, side, side, 0), **limits)
        for axes in column:
            if mask is not None and mask.any():
                axes.contour(mask, levels=[0.5], colors="white", linewidths=1)
            axes.set_axis_off()
    figure.suptitle(f"{plain(result.category)}: {plain(result.arm)}", fontsize=11)
    return figure

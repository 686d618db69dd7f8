"""The figures of one build: histograms, ROC, ablation, heat maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalylib.images.category import ImageSet, resize
from anomalylib.metrics import image as metrics
from anomalylib.metrics import intervals
from study.figures import style
from study.figures.histogram import histogram as draw_histogram
from study.figures.style import BLACK, COLOURS
from study.names import CONTROL, label, plain
from study.tables.results import Result

REACH = (0.5, 1.5)
"""Thresholds looked at where there are no anomalous images, in units of the one in use."""


def histogram(result: Result, axes: Axes | None = None, title: str = "") -> Figure:
    """Scores of the test images by class, with the threshold in red."""
    if axes is None:
        _, (axes,) = style.stack(1, 3.1)
    counts = result.confusion
    note = f"mean + {result.settings['sigma']:g}σ\n"
    note += f"recall {counts.recall:.0%}\n" if result.has_anomalous else ""
    note += f"false alarms {counts.false_alarm} of {counts.normal}"
    scores, labels = np.array(result.scores), np.array(result.labels)
    draw_histogram(axes, result.model, scores, labels, result.threshold, note)
    axes.set_title(title or f"{plain(result.category)}: {label(result.model)}", loc="left", pad=20)
    return axes.figure


def histograms(results: Sequence[Result]) -> list[Figure]:
    """One `histogram` a model of a category."""
    panels = style.separate(len(results), 2.7)
    pairs = zip(results, panels, strict=True)
    return [histogram(result, axes, label(result.model)) for result, axes in pairs]


def roc(results: Sequence[Result]) -> Figure:
    """ROC curves of all models of one category, the threshold marked on each.

    Without anomalous images there are none, and false alarms take their place.
    """
    if not results[0].has_anomalous:
        return false_alarm_curves(results)
    figure, (axes,) = style.stack(1, 4.6 + 0.2 * len(results))
    style.roc_frame(axes)
    for result in results:
        labels, scores = np.array(result.labels), np.array(result.scores)
        colour, counts = COLOURS[result.model], result.confusion
        low, high = intervals.auroc_interval(intervals.win_matrix(labels, scores))[1:]
        text = f"{label(result.model)}  {result.auroc:.3f}  [{low:.3f}, {high:.3f}]"
        axes.plot(*metrics.roc(labels, scores), color=colour, linewidth=2.2, label=text)
        axes.plot(counts.false_positive_rate, counts.recall, "o", color=colour, markersize=8)
    axes.set_title(f"{plain(results[0].category)}: ROC", loc="left")
    style.roc_key(figure, axes)
    return figure


def ablation_chart(results: Sequence[Result]) -> Figure:
    """AUROC of every model and of the brightness control, one panel a category.

    Where a category has no anomalous images: false alarms, with their bound.
    """
    categories = list(dict.fromkeys(result.category for result in results))
    figure, panels = style.by_category(categories, 2.5, sharex=True)
    for category, axes in panels:
        of_category = [result for result in results if result.category == category]
        if of_category[0].has_anomalous:
            _auroc_panel(axes, of_category)
        else:
            _false_alarm_panel(axes, of_category)
    known = any(result.has_anomalous for result in results)
    axes.set_xlabel("image-level AUROC" if known else "rate")
    return figure


def _auroc_panel(axes: Axes, results: Sequence[Result]) -> None:
    labels = np.array(results[0].labels)
    scores = {result.model: result.scores for result in results} | {CONTROL: results[0].mean_grey}
    for y, (model, values) in enumerate(scores.items()):
        wins = intervals.win_matrix(labels, np.array(values))
        value, *ends = intervals.auroc_interval(wins)
        style.interval(axes, y, value, ends, COLOURS[model], size=8)
        style.at_end(axes, model, f"{value:.3f}", y)
    style.auroc_rows(axes, list(scores))


def _false_alarm_panel(axes: Axes, results: Sequence[Result]) -> None:
    """False alarms of the models of one category, a row each, with their bound."""
    for y, result in enumerate(results):
        counts, rate = result.confusion, result.confusion.false_positive_rate
        bound = intervals.upper_bound(counts.false_alarm, counts.normal)
        style.interval(axes, y, rate, (rate, bound), COLOURS[result.model], size=8)
        style.at_end(axes, result.model, f"{counts.false_alarm}/{counts.normal}", y)
    style.name_rows(axes, [result.model for result in results], room=0.75)
    axes.set_xlim(-0.01, 1.02)
    axes.set_title(f"{plain(results[0].category)}: false alarms", loc="left")


def false_alarm_curves(results: Sequence[Result]) -> Figure:
    """False alarms of all models of one category over the threshold, the one in use marked.

    Dashed: Clopper and Pearson's one-sided 95 % bound of the rate, for one
    threshold chosen without looking at these scores.
    """
    figure, (axes,) = style.stack(1, 3.4 + 0.2 * len(results))
    steps = np.linspace(*REACH, 201)
    for result in results:
        above = np.array(result.scores)[:, None] > steps * result.threshold  # (N, T)
        bounds = [intervals.upper_bound(int(count), len(above)) for count in above.sum(axis=0)]
        line = {"color": COLOURS[result.model]}
        axes.plot(steps, above.mean(axis=0), linewidth=2.2, drawstyle="steps-post", **line)
        axes.plot(steps, bounds, linewidth=1, linestyle="--", **line)
        used = result.confusion.false_positive_rate
        axes.plot(1, used, "o", markersize=8, label=label(result.model), **line)
    axes.set(xlabel="threshold ÷ the one in use", ylabel="false alarms", ylim=(-0.02, 1.02))
    axes.set_title(f"{plain(results[0].category)}: no anomalous images", loc="left")
    axes.yaxis.set_major_formatter("{x:.0%}")
    figure.legend(loc="outside lower center", ncols=3, handletextpad=0.1)
    return figure


def losses(values: Sequence[float]) -> Figure:
    """Training loss of each epoch."""
    figure, (axes,) = style.stack(1, 2.4)
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
    """Test images above, their anomaly maps (N, H, W) below, the true mask outlined."""
    chosen = most_telling(result)
    figure, rows = style.grid(2, len(chosen), 1.55)
    # Up to twice the threshold, else one glaring defect darkens all others; down to the
    # threshold, else the maps of normal images glow.
    highest = np.quantile(maps[chosen], 0.999)
    brightest = np.clip(highest, result.threshold, 2 * result.threshold)
    limits = {"vmin": maps.min(), "vmax": brightest}
    for (above, below), index in zip(rows.T, chosen, strict=True):
        pixels, mask = resize(images[index], side), images.mask(index, side)
        decision = "anomalous" if result.scores[index] > result.threshold else "normal"
        kind = plain(result.defect_types[index])
        style.image(above, pixels, f"{kind}\ncalled\n{decision}")
        below.imshow(pixels.mean(axis=-1), cmap="gray", alpha=0.5)
        below.imshow(maps[index], cmap="magma", alpha=0.75, extent=(0, side, side, 0), **limits)
        below.set_axis_off()
        style.outline(above, mask)
        style.outline(below, mask)
    figure.suptitle(f"{plain(result.category)}: {label(result.model)}", fontsize=11)
    return figure

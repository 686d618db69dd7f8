"""The figures of the study, in one look: one colour an arm, readable small."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalylib import metrics
from anomalylib.data import ImageSet, resize
from anomalylib.results import CLAIMS, CONTROL, Result

# Okabe and Ito's palette, distinct for the colour-blind.
COLOURS = {
    "autoencoder": "#E69F00",
    "resnet": "#56B4E9",
    "combined": "#0072B2",
    "patchcore": "#009E73",
    CONTROL: "#767676",
}
NORMAL, ANOMALOUS, THRESHOLD = "#8C8C8C", "#CC79A7", "#D00000"

sns.set_theme(
    context="notebook",
    style="ticks",
    rc={
        "figure.dpi": 120,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 11,
    },
)


def plain(name: str) -> str:
    """A name as prose has it."""
    return name.replace("_", " ")


def histogram(result: Result, axes: Axes | None = None) -> Figure:
    """Scores of the test images by class, with the threshold in red."""
    figure, axes = _own(axes, (6.4, 3.6))
    scores, labels = np.array(result.scores), np.array(result.labels)
    bins, scale = _bins(np.append(scores, result.threshold))
    for label, name, colour in ((0, "normal", NORMAL), (1, "anomalous", ANOMALOUS)):
        chosen = scores[labels == label]
        text = f"{name} ({len(chosen)})"
        sns.histplot(x=chosen, bins=bins, color=colour, alpha=0.65, label=text, ax=axes)
    counts = result.confusion
    axes.axvline(result.threshold, color=THRESHOLD, linewidth=2)
    sigma = result.settings["sigma"]
    note = f" mean + {sigma:g}σ\n recall {counts.recall:.0%}\n false alarms {counts.false_alarm}"
    axes.annotate(
        note,
        (result.threshold, 0.98),
        xycoords=("data", "axes fraction"),
        color=THRESHOLD,
        va="top",
        fontsize=9,
    )
    axes.set(xlabel=f"score, {scale} scale (higher = more anomalous)", ylabel="test images")
    axes.set_xscale(scale)
    axes.set_title(f"{plain(result.category)}: {result.arm}", loc="left")
    axes.set_ylim(top=1.35 * axes.get_ylim()[1])  # room for the note above the bars
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="lower right", bbox_to_anchor=(1.02, 0.98))
    return figure


def _bins(values: np.ndarray, count: int = 24) -> tuple[np.ndarray, str]:
    """Edges of bins over the values; logarithmic where a few lie far above the rest."""
    low, high = values.min(), values.max()
    if low > 0 and high > 10 * np.median(values):
        return np.geomspace(low, high * (1 + 1e-9), count + 1), "log"
    return np.linspace(low, high, count + 1), "linear"


def histograms(results: Sequence[Result]) -> Figure:
    """One `histogram` below the other for all arms of a category."""
    figure, rows = plt.subplots(
        len(results), figsize=(6.4, 3 * len(results)), layout="constrained", squeeze=False
    )
    for result, axes in zip(results, rows[:, 0], strict=True):
        histogram(result, axes)
    return figure


def roc(results: Sequence[Result]) -> Figure:
    """ROC curves of all arms of one category, the threshold marked on each."""
    figure, axes = _own(None, (5.2, 5.2))
    axes.plot([0, 1], [0, 1], color="#B0B0B0", linestyle=":", linewidth=1)
    for result in results:
        labels, scores = np.array(result.labels), np.array(result.scores)
        colour, counts = COLOURS[result.arm], result.confusion
        text = f"{result.arm}  {result.auroc:.3f}"
        axes.plot(*metrics.roc(labels, scores), color=colour, linewidth=2.2, label=text)
        axes.plot(counts.false_positive_rate, counts.recall, "o", color=colour, markersize=8)
    axes.set(xlabel="false-positive rate", ylabel="recall", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
    axes.set_title(f"{plain(results[0].category)}: ROC", loc="left")
    axes.legend(frameon=False, title="AUROC", loc="lower right", fontsize=9)
    return figure


def ablation_chart(results: Sequence[Result]) -> Figure:
    """AUROC of every arm and of the brightness control, one panel a category."""
    categories = list(dict.fromkeys(result.category for result in results))
    figure, rows = plt.subplots(
        len(categories),
        figsize=(6.4, 2.5 * len(categories)),
        sharex=True,
        layout="constrained",
        squeeze=False,
    )
    for category, axes in zip(categories, rows[:, 0], strict=True):
        mine = [result for result in results if result.category == category]
        values = {result.arm: result.auroc for result in mine} | {CONTROL: mine[0].control_auroc}
        for y, (arm, value) in enumerate(values.items()):
            axes.plot([0.5, value], [y, y], color=COLOURS[arm], linewidth=3)
            axes.plot(value, y, "o", color=COLOURS[arm], markersize=10)
            axes.annotate(f"{value:.3f}", (value, y - 0.3), ha="center", fontsize=9)
            if arm in CLAIMS:
                axes.plot(CLAIMS[arm], y, marker="|", color="black", markersize=18)
        axes.axvline(0.5, color="#767676", linestyle=":", linewidth=1)
        axes.set_yticks(range(len(values)), list(values))
        axes.set(xlim=(0, 1.04), ylim=(len(values) - 0.5, -0.8))
        axes.set_title(plain(category), loc="left")
    rows[-1, 0].set_xlabel("image-level AUROC   (dotted: chance, black mark: the claim)")
    return figure


def losses(values: Sequence[float]) -> Figure:
    """Training loss of each epoch."""
    figure, axes = _own(None, (6.4, 2.8))
    axes.plot(range(1, len(values) + 1), values, color="black", marker=".")
    axes.set(xlabel="epoch", ylabel="mean squared error", ylim=(0, None))
    axes.set_title("training loss", loc="left")
    return figure


def most_telling(result: Result) -> list[int]:
    """Indices of a clear hit, a weak one, a miss or near miss, and a false alarm.

    They are the highest and the median of the anomalous images, the lowest
    anomalous one and the highest normal one.
    """
    order = np.argsort(result.scores)
    labels = np.array(result.labels)[order]
    anomalous, normal = order[labels == 1], order[labels == 0]
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
    figure, rows = plt.subplots(2, len(chosen), figsize=(8, 4.4), layout="constrained")
    # No brighter than twice the threshold: else one glaring defect darkens all others.
    brightest = min(np.quantile(maps[chosen], 0.999), 2 * result.threshold)
    limits = {"vmin": maps.min(), "vmax": brightest}
    for column, index in zip(rows.T, chosen, strict=True):
        picture, mask = resize(images[index], side), images.mask(index, side)
        called = "anomalous" if result.scores[index] > result.threshold else "normal"
        kind = plain(result.defect_types[index])
        column[0].imshow(picture)
        column[0].set_title(f"{kind}\ncalled {called}", fontsize=9)
        column[1].imshow(picture.mean(axis=-1), cmap="gray", alpha=0.5)
        column[1].imshow(maps[index], cmap="magma", alpha=0.75, extent=(0, side, side, 0), **limits)
        for axes in column:
            if mask is not None and mask.any():
                axes.contour(mask, levels=[0.5], colors="white", linewidths=1)
            axes.set_axis_off()
    figure.suptitle(f"{plain(result.category)}: {result.arm}", fontsize=11)
    return figure


def _own(axes: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """The axes given, or new ones in a figure of their own."""
    if axes is None:
        _, axes = plt.subplots(figsize=size, layout="constrained")
    return axes.figure, axes

"""What can be shown of a part without anomalous images: its false alarms."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from anomalylib.metrics.intervals import upper_bound
from study.figures import style as look
from study.figures.style import COLOURS, SMALL
from study.names import plain
from study.tables.results import Result

REACH = (0.5, 1.5)
"""Thresholds looked at, in units of the one in use."""


def false_alarm_rates(scores: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of normal images above each threshold, and its bound.

    Parameters
    ----------
    scores : ndarray, shape (N,)
        Of normal images that were not learned from.
    thresholds : ndarray, shape (T,)

    Returns
    -------
    share, bound : ndarray, shape (T,)
        The bound is Clopper and Pearson's, one-sided 95 %, for one threshold
        chosen without looking at these scores.
    """
    above = (scores[:, None] > thresholds).sum(axis=0)  # (T,)
    bounds = [upper_bound(int(count), len(scores)) for count in above]
    return above / len(scores), np.array(bounds)


def false_alarm_curves(results: Sequence[Result]) -> Figure:
    """False alarms of all arms of one category over the threshold, the one in use marked."""
    figure, (axes,) = look.stack(1, 3.4 + 0.2 * len(results))
    steps = np.linspace(*REACH, 201)
    for result in results:
        scores, colour = np.array(result.scores), COLOURS[result.arm]
        share, bound = false_alarm_rates(scores, steps * result.threshold)
        axes.plot(steps, share, color=colour, linewidth=2.2, drawstyle="steps-post")
        axes.plot(steps, bound, color=colour, linewidth=1, linestyle="--")
        used = result.confusion.false_positive_rate
        axes.plot(1, used, "o", color=colour, markersize=8, label=plain(result.arm))
    axes.set(xlabel="threshold ÷ the one in use", ylabel="false alarms", ylim=(-0.02, 1.02))
    axes.set_title(f"{plain(results[0].category)}: no anomalous images", loc="left")
    axes.yaxis.set_major_formatter("{x:.0%}")
    figure.legend(loc="outside lower center", ncols=3, handletextpad=0.1)
    return figure


def false_alarm_panel(axes, results: Sequence[Result]) -> None:
    """False alarms of the arms of one category, a row each, with their bound."""
    for y, result in enumerate(results):
        counts, colour = result.confusion, COLOURS[result.arm]
        normal = counts.false_alarm + counts.true_normal
        bound = upper_bound(counts.false_alarm, normal)
        axes.plot([counts.false_positive_rate, bound], [y, y], color=colour, linewidth=2.5)
        axes.plot(counts.false_positive_rate, y, "o", color=colour, markersize=8)
        said = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": SMALL}
        axes.annotate(
            f"{counts.false_alarm}/{normal}", (1.02, y), color=look.ink(result.arm), **said
        )
    axes.set_yticks(range(len(results)), [plain(result.arm) for result in results])
    axes.set(xlim=(-0.01, 1.02), ylim=(len(results) - 0.5, -0.75))
    axes.set_title(f"{plain(results[0].category)}: false alarms", loc="left")

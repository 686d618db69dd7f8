"""The figures of inspected pictures."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from anomalylib.deploy.inspect import Finding
from anomalylib.deploy.report import nearest_picture, overlay
from anomalylib.detectors.base import Detector
from study.figures import style as look
from study.figures.style import COLOURS, NORMAL, SMALL, THRESHOLD, WIDTH
from study.names import plain

SHOWN = 4
"""Pictures that are shown."""


def readable(findings: Sequence[Finding]) -> list[Finding]:
    """Those that could be read, the most anomalous first."""
    return sorted((f for f in findings if f.picture is not None), key=lambda f: -f.score)


def scores(detector: Detector, findings: Sequence[Finding]) -> Figure:
    """Scores of the pictures above those of the nominal images, and the threshold."""
    figure, (axes,) = look.stack(1, 2.8)
    found = np.array([finding.score for finding in readable(findings)])
    arm, nominal = detector.card_.arm, detector.nominal_scores_
    everything = np.concatenate([found, nominal, [detector.threshold_]])
    edges, scale = look.bins(everything)
    axes.hist(nominal, edges, color=NORMAL, linewidth=0.5, edgecolor="white")
    top = axes.get_ylim()[1]
    axes.plot(found, np.full(len(found), 1.15 * top), "v", color=COLOURS[arm], alpha=0.7)
    axes.axvline(detector.threshold_, color=THRESHOLD, linewidth=2)
    axes.set(xscale=scale, ylim=(0, 1.3 * top), ylabel="images")
    axes.set_xlabel(f"score, {scale} scale (higher = more anomalous)")
    counts = [(f"▼ {len(found)} inspected", look.ink(arm)), (f"{len(nominal)} normal", "#6A6A6A")]
    look.words(axes, [*counts, ("threshold", THRESHOLD)])
    axes.set_title(plain(arm), loc="left", pad=20)
    return figure


def closest_look(detector: Detector, findings: Sequence[Finding]) -> Figure:
    """The pictures of the highest scores, their maps, and the nearest nominal images."""
    shown = readable(findings)[:SHOWN] or [None]
    size = (WIDTH, 0.2 + 1.75 * len(shown))
    figure, rows = plt.subplots(len(shown), 3, figsize=size, layout="constrained", squeeze=False)
    for row, found in zip(rows, shown, strict=True):
        for axes in row:
            axes.set_axis_off()
        if found is None:
            row[1].annotate("no picture could be read", (0.5, 0.5), ha="center", fontsize=SMALL)
            continue
        row[0].imshow(found.picture)
        row[1].imshow(overlay(found) if found.map.size > 1 else found.picture)
        row[2].imshow(nearest_picture(detector, found))
        said = f"{found.path.name}\n{found.decision}, {found.score:.4g}"
        for axes, text in zip(row, (said, "anomaly map", "nearest normal"), strict=True):
            style = {"fontsize": SMALL, "fontweight": "normal"}
            axes.set_title(text, parse_math=False, **style)  # a file's name is no formula
    return figure

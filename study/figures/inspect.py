"""The figures of inspected images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures import style
from study.figures.histogram import SOLID, bars
from study.figures.style import COLOURS, DIM, NORMAL, SMALL, THRESHOLD
from study.names import label

if TYPE_CHECKING:
    from anomalylib.deploy.inspect import Finding

SHOWN = 4
"""Images that are shown."""


def scores(
    model: str, findings: Sequence["Finding"], nominal: np.ndarray, threshold: float
) -> Figure:
    """Scores of the images above those of the training images (N,), and the threshold."""
    figure, (axes,) = style.stack(1, 2.8)
    values = np.array([finding.score for finding in readable(findings)])
    edges, scale = style.bins(np.concatenate([values, nominal, [threshold]]))
    axes.set_xscale(scale)
    look = {"color": NORMAL} | SOLID
    bars(pd.DataFrame({"score": nominal}), edges, scale, x="score", ax=axes, **look)
    top = axes.get_ylim()[1]
    axes.plot(values, np.full(len(values), 1.15 * top), "v", color=COLOURS[model], alpha=0.7)
    axes.axvline(threshold, color=THRESHOLD, linewidth=2)
    axes.set(ylim=(0, 1.3 * top), ylabel="images")
    axes.set_xlabel(f"score, {scale} scale (higher = more anomalous)")
    counts = [(f"▼ {len(values)} inspected", style.ink(model)), (f"{len(nominal)} normal", DIM)]
    style.words(axes, [*counts, ("threshold", THRESHOLD)])
    axes.set_title(label(model), loc="left", pad=20)
    return figure


def closest_look(
    findings: Sequence["Finding"], overlays: Sequence[np.ndarray], thumbnails: np.ndarray
) -> Figure:
    """The images of the highest scores, their maps, and the nearest normal images.

    `overlays` show the map over the image for those that could be read, highest score
    first; `thumbnails` (N, s, s, 3) are the training images.
    """
    shown = readable(findings)[:SHOWN]
    figure, rows = style.bare(max(1, len(shown)), 3, 1.75)
    if not shown:
        rows[0, 1].annotate("no image could be read", (0.5, 0.5), ha="center", fontsize=SMALL)
    for axes, finding, overlay in zip(rows, shown, overlays, strict=False):
        text = f"{finding.path.name}\n{finding.decision}, {finding.score:.4g}"
        style.image(axes[0], finding.image, text)
        style.image(axes[1], overlay if finding.map.size > 1 else finding.image, "anomaly map")
        style.image(axes[2], thumbnails[finding.nearest], "nearest normal")
    return figure


def readable(findings: Sequence["Finding"]) -> list["Finding"]:
    """Those that could be read, the most anomalous first."""
    return sorted((f for f in findings if f.image is not None), key=lambda f: -f.score)

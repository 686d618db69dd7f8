"""The chapter on one's own parts: its figures, and new pictures to judge."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from anomalylib.detectors.base import Detector
from anomalylib.detectors.thresholds import Conformal, MeanPlusSigma
from anomalylib.images.category import Category, resize
from study.figures import style as look
from study.figures.style import SMALL
from study.names import plain
from study.parts import bracket, synthetic
from study.parts.synthetic import random_of
from study.tables.results import Result

NEW = {"sound": "good", "scratched": "scratch", "undrilled": "missing_hole"}
"""New brackets, and how they are drawn."""


def tree(root: Path) -> str:
    """The folders below `root`, with how many pictures of which formats each holds."""
    lines = [f"{root.name}/"]
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        indent = "  " * len(folder.relative_to(root).parts)
        suffixes = [path.suffix for path in folder.iterdir() if path.is_file()]
        counts = [f"{suffixes.count(suffix)} {suffix}" for suffix in sorted(set(suffixes))]
        lines.append(f"{indent}{folder.name}/".ljust(26) + ", ".join(counts))
    return "\n".join(line.rstrip() for line in lines)


def contact_sheet(category: Category, side: int = 160) -> Figure:
    """Normal images above, one of each defect type below, its mask outlined."""
    kinds = sorted(set(category.test.defect_types) - {"good"})
    figure, rows = look.grid(2, len(kinds), 1.45)
    for axes, index in zip(rows[0], range(len(kinds)), strict=True):
        axes.imshow(resize(category.train[index], side))
        axes.set_title("normal", fontsize=SMALL, fontweight="normal")
    for axes, kind in zip(rows[1], kinds, strict=True):
        index = category.test.defect_types.index(kind)
        axes.imshow(resize(category.test[index], side))
        mask = category.test.mask(index, side)
        if mask is not None and mask.any():
            axes.contour(mask, levels=[0.5], colors="white", linewidths=1)
        axes.set_title(plain(kind), fontsize=SMALL, fontweight="normal")
    for axes in rows.flat:
        axes.set_axis_off()
    return figure


def new_pictures(folder: Path) -> Path:
    """Draw brackets that no detector has seen, and one picture that is no bracket.

    Returns
    -------
    Path
        `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in NEW.items():
        image, _ = bracket.photograph(kind, random_of(f"new/{name}"))
        Image.fromarray(np.round(image * 255).astype(np.uint8)).save(folder / f"{name}.png")
    nut, _ = synthetic.photograph("metal_nut", "good", random_of("new/nut"))
    Image.fromarray(nut).save(folder / "a nut.png")
    whole = (folder / "sound.png").read_bytes()
    (folder / "cut short.png").write_bytes(whole[: len(whole) // 2])
    return folder


def normal_scores(result: Result) -> np.ndarray:
    """Scores of the normal test images, (M,)."""
    return np.array(result.scores)[np.array(result.labels) == 0]


def choices(detector: Detector, held_out: np.ndarray) -> pd.DataFrame:
    """Thresholds by two rules: from training scores, and from held-out ones (N,)."""
    original = MeanPlusSigma(sigma=detector.sigma).fit(detector.nominal_scores_)
    conformal = Conformal(alpha=0.05).fit(held_out)
    rows = []
    for name, rule, promise in (
        (f"mean + {detector.sigma:g}σ, training images", original, "none"),
        ("conformal 5 %, held-out images", conformal, "at most 5 %, if new images are like these"),
    ):
        above = int((held_out > rule.threshold_).sum())
        row = {"rule": name, "threshold": rule.threshold_, "promised false alarms": promise}
        rows.append(row | {"held-out images above it": f"{above} of {len(held_out)}"})
    return pd.DataFrame(rows)

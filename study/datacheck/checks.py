"""Whether a category's images can be trusted, before any detector has seen them.

Each check ends in a verdict: ``ok``; ``look``, see for yourself; ``stop``, mend
it, or numbers from these images will mislead. The limits stand beside the checks,
with where they come from. What is about files is in `study.datacheck.file_checks`.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.images.category import Category
from anomalylib.metrics import intervals
from study.datacheck import copies
from study.datacheck.check import LOOK, OK, STOP, Check, Finding
from study.datacheck.file_checks import counts, files, formats, masks, range_used
from study.datacheck.survey import Survey, survey

MEDIUM, LARGE = 0.14, 0.21
"""How far an AUROC lies from 0.5 for a shift of medium and of large size.

Vargha and Delaney's A (Journal of Educational and Behavioral Statistics, 2000)
is the AUROC; 0.64 and 0.71 belong to Cohen's d of 0.5 and 0.8.
"""
FEW = 10
"""Images on one side below which no shift is tested."""
FEWEST = 20
"""Normal images below which none is called unusual."""
UNUSUAL = 5
"""Robust deviations from the median that make an image unusual.

The median and the median absolute deviation, of logarithms, are not moved by
the unusual images themselves. No normal image of the two real and three drawn
parts on which it was tried lies beyond 4.5.
"""
FLOOR = 0.05
"""The smallest deviation that counts as one: a twentieth of the value itself."""


def check_category(category: Category) -> list[Check]:
    """All checks of a category's images; each image is read once."""
    return check_all(survey(category))


def check_all(surveyed: Survey) -> list[Check]:
    """All checks of a survey, in the order of `CHECKS`."""
    blind = surveyed.read.empty
    unread = STOP, "No image can be read.", pd.DataFrame()
    return [
        Check(name, *(unread if blind and check not in (counts, files) else check(surveyed)))
        for name, check in CHECKS.items()
    ]


def copied(surveyed: Survey) -> Finding:
    """The same image twice: within training or test it counts double, across it leaks."""
    images = surveyed.read
    pairs = copies.pairs(surveyed.thumbnails[images.index], images.pixels.tolist())
    pairs = pairs[pairs.alike != ""].copy()
    ends = pairs[["first", "second"]].to_numpy().T  # (2, P)
    side = images.set + np.where(images.label == 0, ", normal", ", anomalous")
    one, other = side.to_numpy()[ends]
    across = one != other
    pairs["first"], pairs["second"] = images.image.to_numpy()[ends]
    pairs["where"] = np.where(across, one + " and " + other, one)
    leaks = pairs[across]
    table = pd.concat([leaks, pairs[~across]], ignore_index=True)
    count = len(leaks) or len(table)
    many = f"{count} pair{'s' if count > 1 else ''}"
    if "copy" in set(leaks.alike):
        same = "The same image in training and test, or as normal and anomalous"
        return STOP, f"{same}: {many}; take them out of one side.", table
    if len(leaks):
        near = f"Nearly alike across training, test and defects: {many}"
        return LOOK, f"{near}; where one part is shown, keep one side's.", table
    if len(table):
        within = f"Alike or nearly so within one folder: {many}"
        return LOOK, f"{within}; keep one of each, or numbers look surer.", table
    return OK, f"No two of the {len(images)} images are alike.", table


def shift(surveyed: Survey, column: str, more: str) -> Finding:
    """Whether the normal test images differ from the training images in one column.

    A model takes what it has not learned for a defect, another illumination as well. The effect
    is an AUROC: the chance that a normal test image is ``more`` than a training image, 0.5 where
    there is no shift. ``look`` needs an interval without 0.5 and a medium effect, ``stop`` an
    interval wholly beyond a large one. With 22 test images drawn as 120 training images are,
    ``look`` came up in 4 of 100 simulated sets, with 10 in 9, and ``stop`` in none of 1,200.
    """
    normal = surveyed.read[surveyed.read.label == 0]
    sides = {"training": normal.set == "train", "test, normal": normal.set == "test"}
    chance = f"A normal test image is {more} than a training image with a chance of"
    light = (
        "the illumination is not the same; take the images again in turns, under one illumination"
    )
    ends = {OK: "", LOOK: ": see how much in the figure", STOP: f": {light}"}
    ends = {verdict: f", where 0.5 is no difference{end}" for verdict, end in ends.items()}
    return _told_apart(normal[column], sides, chance, ends, "compare")


def control(surveyed: Survey) -> Finding:
    """What mean grey alone scores on the test images: a control, nothing to choose by.

    It alone looks at the test labels, as the final numbers do; the limits are those of
    `shift`. Defects may change the brightness themselves: that is for the eye to tell.
    """
    test = surveyed.read[surveyed.read.set == "test"]
    if not test.label.any():
        return OK, "No defective parts: nothing to tell apart.", pd.DataFrame()
    sides = {"test, normal": test.label == 0, "test, anomalous": test.label == 1}
    grey = "Mean grey alone, with no detector, tells normal from anomalous test images with an"
    again = "take the images again in turns, under one illumination"
    ends = {
        OK: ": brightness gives no defect away",
        LOOK: ": read every score beside it",
        STOP: f": no score shows by itself that a defect was seen; {again}",
    }
    return _told_apart(test.mean_grey, sides, f"{grey} AUROC of", ends, "say")


def _told_apart(
    values: pd.Series, sides: Mapping[str, pd.Series], start: str, ends: Mapping[str, str], aim: str
) -> Finding:
    """How well a number tells two sides apart, as an AUROC, and both sides' quartiles."""
    quartiles = [
        (side, rows.sum(), *values[rows].quantile([0.25, 0.5, 0.75]))
        for side, rows in sides.items()
    ]
    columns = ["images", "number", "lower quartile", "median", "upper quartile"]
    table = pd.DataFrame(quartiles, columns=columns)
    if table.number.min() < FEW:
        return LOOK, f"Fewer than {FEW} on one side: too few to {aim}.", table
    wins = intervals.win_matrix(list(sides.values())[1].to_numpy(), values.to_numpy())
    auroc = intervals.auroc_interval(wins)
    verdict, rounded = effect(auroc), "{:.3f} [{:.3f}, {:.3f}]".format(*auroc)
    return verdict, f"{start} {rounded}{ends[verdict]}.", table


def effect(auroc: intervals.Interval) -> str:
    """The verdict on an AUROC: ``look`` for a medium effect, ``stop`` for one surely large."""
    nearest = max(auroc.low - 0.5, 0.5 - auroc.high)  # below 0 where 0.5 is inside
    if nearest > LARGE:
        return STOP
    return LOOK if nearest > 0 and abs(auroc.value - 0.5) >= MEDIUM else OK


def deviations(values: np.ndarray) -> np.ndarray:
    """Robust deviations of positive values from their median, in logarithms, (N,)."""
    logs = np.log(np.maximum(values, 1e-6))
    spread = stats.median_abs_deviation(logs, scale="normal")
    return (logs - np.median(logs)) / max(spread, FLOOR)


def sharpness(surveyed: Survey) -> Finding:
    """Normal images out of focus or moved; a defect may change the sharpness itself."""
    normal = surveyed.read[surveyed.read.label == 0]
    normal = normal.assign(deviations=deviations(normal.sharpness))
    blurred = normal[normal.deviations < -UNUSUAL].sort_values("deviations")
    table = blurred[["image", "sharpness", "deviations"]].reset_index(drop=True)
    if len(normal) < FEWEST:
        return LOOK, f"Fewer than {FEWEST} images: look at them all.", table
    if len(table):
        many = f"Far less sharp than usual: {len(table)} of {len(normal)} normal images"
        return LOOK, f"{many}; take them again, or leave them out.", table
    none = f"None of {len(normal)} normal images is far less sharp than the others."
    return OK, none, table


def strangeness(surveyed: Survey) -> pd.DataFrame:
    """How unusual each normal image is, with no trained detector.

    Returns
    -------
    DataFrame
        One row a normal image: robust deviations of its ``brightness``, its
        ``contrast`` and its ``distance`` to the five normal thumbnails that are
        most like it; ``most``, the largest of the three.
    """
    normal = surveyed.read[surveyed.read.label == 0]
    count, far = min(copies.USUAL, len(normal) - 1), np.ones(len(normal))
    if count > 0:
        far = copies.neighbours(surveyed.thumbnails[normal.index], count)[0].mean(axis=1)
    table = normal[["image", "set"]].assign(
        brightness=deviations(normal.mean_grey),
        contrast=deviations(normal.contrast),
        distance=deviations(np.maximum(far, 0.01)),
    )
    most = np.column_stack([table.brightness.abs(), table.contrast.abs(), table.distance])
    return table.assign(most=most.max(axis=1))


def outliers(surveyed: Survey) -> Finding:
    """Normal images unlike the other normal ones: perhaps a wrong part, or a defect missed."""
    strange = strangeness(surveyed)
    table = strange[strange.most > UNUSUAL].drop(columns="most").reset_index(drop=True)
    if len(strange) < FEWEST:
        few = f"Fewer than {FEWEST} normal images: look at them all."
        return LOOK, few, table.head(0)
    if len(table):
        many = f"Unlike the others: {len(table)} of {len(strange)} normal images"
        return LOOK, f"{many}; see that each is a sound part.", table
    return OK, f"None of the {len(strange)} normal images is unlike the others.", table


CHECKS: dict[str, Callable[[Survey], Finding]] = {
    "counts": counts,
    "files": files,
    "formats": formats,
    "range": range_used,
    "copies": copied,
    "brightness": partial(shift, column="mean_grey", more="brighter"),
    "contrast": partial(shift, column="contrast", more="richer in contrast"),
    "sharpness": sharpness,
    "outliers": outliers,
    "masks": masks,
    "control": control,
}

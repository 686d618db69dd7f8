"""Whether a category's pictures can be trusted, before any detector has seen them.

Each check ends in a verdict: ``ok``; ``look``, see for yourself; ``stop``, mend
it, or numbers from these pictures will mislead. The limits stand here, with
where they come from. What is about files is in `study.datacheck.file_checks`.
"""

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.images.category import Category
from anomalylib.metrics import intervals
from study.datacheck import copies
from study.datacheck.check import LOOK, OK, STOP, Check
from study.datacheck.file_checks import counts, files, formats, masks, range_used
from study.datacheck.survey import Survey, survey

MEDIUM, LARGE = 0.14, 0.21
"""How far an AUROC lies from 0.5 for a shift of medium and of large size.

Vargha and Delaney's A (Journal of Educational and Behavioral Statistics, 2000)
is the AUROC; 0.64 and 0.71 belong to Cohen's d of 0.5 and 0.8.
"""
FEW = 10
"""Images on one side below which no shift is judged."""
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

NEED_PICTURES = ("formats", "range", "copies", "brightness", "contrast", "sharpness")
NEED_PICTURES += ("outliers", "masks", "control")


def check_category(category: Category) -> list[Check]:
    """All checks of a category's pictures; each picture is read once.

    Parameters
    ----------
    category : Category

    Returns
    -------
    list of Check
        See `judge`.
    """
    return judge(survey(category))


def judge(found: Survey) -> list[Check]:
    """All checks of what `study.datacheck.survey.survey` has found, the control last.

    The control alone compares anomalous with normal test images by their pixels.
    """
    own, first = found.read, [counts(found), files(found)]
    if own.empty:
        said, table = "No picture can be read.", pd.DataFrame()
        return first + [Check(name, STOP, said, table) for name in NEED_PICTURES]
    return [
        *first,
        formats(found),
        range_used(found),
        copied(found),
        shift("brightness", own),
        shift("contrast", own),
        sharpness(own),
        outliers(found),
        masks(found),
        control(own),
    ]


def copied(found: Survey) -> Check:
    """The same picture twice: within training or test it counts double, across it leaks."""
    own = found.read
    pixels = own.pixels.tolist()
    kinds = [("copy", copies.exact(pixels))]
    kinds.append(("nearly", copies.near(found.thumbnails[own.index], pixels)))
    side = np.where(own.label == 0, own.set + ", normal", own.set + ", anomalous")
    rows = [
        {
            "first": own.image.iloc[pair.first],
            "second": own.image.iloc[pair.second],
            "alike": kind,
            "correlation": pair.correlation,
            "where": " and ".join(dict.fromkeys([side[pair.first], side[pair.second]])),
        }
        for kind, pairs in kinds
        for pair in pairs
    ]
    table = pd.DataFrame(rows, columns=["first", "second", "alike", "correlation", "where"])
    across = table[table["where"].str.contains(" and ")]
    table = pd.concat([across, table.drop(across.index)], ignore_index=True)
    if "copy" in set(across.alike):
        many = (
            f"The same picture in training and test, or as normal and anomalous: {_pairs(across)}"
        )
        return Check("copies", STOP, f"{many}; take them out of one side.", table)
    if len(across):
        many = f"Nearly alike across training, test and defects: {_pairs(across)}"
        return Check("copies", LOOK, f"{many}; where one part is shown, keep one side's.", table)
    if len(table):
        many = f"Alike or nearly so within one folder: {_pairs(table)}"
        return Check("copies", LOOK, f"{many}; keep one of each, or numbers look surer.", table)
    return Check("copies", OK, f"No two of the {len(own)} pictures are alike.", table)


def _pairs(table: pd.DataFrame) -> str:
    return f"{len(table)} pair{'s' if len(table) > 1 else ''}"


COLUMN = {"brightness": "mean_grey", "contrast": "contrast"}
MORE = {"brightness": "brighter", "contrast": "richer in contrast"}


def shift(name: str, own: pd.DataFrame) -> Check:
    """Whether the normal test images differ from the training images in one number.

    A detector takes what it has not learned for a defect, the lamp as well. The
    effect is an AUROC: the chance that a normal test image has more than a
    training image, 0.5 where there is no shift. ``look`` needs an interval
    without 0.5 and a medium effect, ``stop`` an interval wholly beyond a large
    one. With 22 test images drawn as 120 training images are, ``look`` came up
    in 4 of 100 simulated sets, with 10 in 9, and ``stop`` in none of 1,200.

    Parameters
    ----------
    name : str
        ``"brightness"`` or ``"contrast"``.
    own : DataFrame
        Rows of `Survey.read`.
    """
    normal = own[own.label == 0]
    labels = (normal.set == "test").to_numpy().astype(int)
    values, sides = normal[COLUMN[name]].to_numpy(), ("training", "test, normal")
    verdict, found, table = _compared(values, labels, sides)
    if found is None:
        return Check(name, verdict, f"Fewer than {FEW} on one side: too few to compare.", table)
    said = f"A normal test image is {MORE[name]} than a training image with a chance of"
    said = f"{said} {_text(found)}, where 0.5 is no difference"
    if verdict == OK:
        return Check(name, verdict, f"{said}.", table)
    if verdict == LOOK:
        return Check(name, verdict, f"{said}: see how much in the figure.", table)
    mend = "the light is not the same; take the pictures again in turns, under one lamp"
    return Check(name, verdict, f"{said}: {mend}.", table)


def control(own: pd.DataFrame) -> Check:
    """What mean grey alone scores on the test images: a control, nothing to choose by.

    It looks at the test labels, as the final numbers do; the limits are those
    of `shift`. Defects may change the brightness themselves: that is for the
    eye to tell.
    """
    test = own[own.set == "test"]
    labels, sides = test.label.to_numpy(), ("test, normal", "test, anomalous")
    if not labels.any():
        return Check("control", OK, "No defective parts: nothing to tell apart.", pd.DataFrame())
    verdict, found, table = _compared(test.mean_grey.to_numpy(), labels, sides)
    if found is None:
        return Check("control", verdict, f"Fewer than {FEW} on one side: too few to say.", table)
    said = "Mean grey alone, with no detector, tells normal from anomalous test images with"
    said = f"{said} an AUROC of {_text(found)}"
    if verdict == OK:
        return Check("control", verdict, f"{said}: brightness gives no defect away.", table)
    if verdict == LOOK:
        return Check("control", verdict, f"{said}: read every score beside it.", table)
    mend = "no score shows by itself that a defect was seen; take the pictures again in turns"
    return Check("control", verdict, f"{said}: {mend}, under one lamp.", table)


def _compared(
    values: np.ndarray, labels: np.ndarray, sides: tuple[str, str]
) -> tuple[str, intervals.Interval | None, pd.DataFrame]:
    """Verdict, AUROC with its interval, and both sides' medians and quartiles."""
    rows = [
        {"images": side, "number": len(part)}
        | dict(zip(("lower quartile", "median", "upper quartile"), _quartiles(part), strict=True))
        for side, part in zip(sides, (values[labels == 0], values[labels == 1]), strict=True)
    ]
    table = pd.DataFrame(rows)
    if table.number.min() < FEW:
        return LOOK, None, table
    found = intervals.bootstrap(intervals.win_matrix(labels, values))
    nearest = max(found.low - 0.5, 0.5 - found.high)  # below 0 where 0.5 is inside
    if nearest > LARGE:
        return STOP, found, table
    return (LOOK if nearest > 0 and abs(found.value - 0.5) >= MEDIUM else OK), found, table


def _quartiles(values: np.ndarray) -> list[float]:
    return [float(np.quantile(values, at)) if len(values) else np.nan for at in (0.25, 0.5, 0.75)]


def _text(found: intervals.Interval) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def deviations(values: np.ndarray) -> np.ndarray:
    """Robust deviations of positive values from their median, in logarithms, (N,)."""
    logs = np.log(np.maximum(values, 1e-6))
    spread = stats.median_abs_deviation(logs, scale="normal")
    return (logs - np.median(logs)) / max(spread, FLOOR)


def sharpness(own: pd.DataFrame) -> Check:
    """Normal pictures out of focus or moved; a defect may change the sharpness itself."""
    normal = own[own.label == 0]
    normal = normal.assign(deviations=deviations(normal.sharpness.to_numpy()))
    blurred = normal[normal.deviations < -UNUSUAL].sort_values("deviations")
    table = blurred[["image", "sharpness", "deviations"]].reset_index(drop=True)
    if len(normal) < FEWEST:
        return Check("sharpness", LOOK, f"Fewer than {FEWEST} pictures: look at them all.", table)
    if len(table):
        said = f"Far less sharp than usual: {len(table)} of {len(normal)} normal pictures"
        return Check("sharpness", LOOK, f"{said}; take them again, or leave them out.", table)
    said = f"None of {len(normal)} normal pictures is far less sharp than the others."
    return Check("sharpness", OK, said, table)


def strangeness(found: Survey) -> pd.DataFrame:
    """How unusual each normal image is, with no trained detector.

    Returns
    -------
    DataFrame
        One row a normal image: robust deviations of its ``brightness``, its
        ``contrast`` and its ``distance`` to the five normal thumbnails that are
        most like it.
    """
    own = found.read[found.read.label == 0]
    table = own[["image", "set"]].copy()
    table["brightness"] = deviations(own.mean_grey.to_numpy())
    table["contrast"] = deviations(own.contrast.to_numpy())
    count = min(copies.USUAL, len(own) - 1)
    far = np.ones(len(own))
    if count > 0:
        far = copies.neighbours(found.thumbnails[own.index], count)[0].mean(axis=1)
    table["distance"] = deviations(np.maximum(far, 0.01))
    return table


def outliers(found: Survey) -> Check:
    """Normal images unlike the other normal ones: perhaps a wrong part, or a defect missed."""
    table = strangeness(found)
    if len(table) < FEWEST:
        few = f"Fewer than {FEWEST} normal images: look at them all."
        return Check("outliers", LOOK, few, table.head(0))
    most = np.column_stack([table.brightness.abs(), table.contrast.abs(), table.distance])
    unusual = table[most.max(axis=1) > UNUSUAL].reset_index(drop=True)
    if len(unusual):
        said = f"Unlike the others: {len(unusual)} of {len(table)} normal images"
        return Check("outliers", LOOK, f"{said}; see that each is a sound part.", unusual)
    said = f"None of the {len(table)} normal images is unlike the others"
    return Check("outliers", OK, f"{said}.", unusual)

"""Checks of what lies in the folders: how many files, of which kind, readable, with masks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.images.reading import SUFFIXES, UNREAD
from anomalylib.metrics.intervals import LEVEL, upper_bound
from study.datacheck.check import LOOK, OK, STOP, Finding
from study.datacheck.survey import VIEW, Survey

ENOUGH = 59
"""Training images of which the highest score is above 95 % of new ones, with 95 % confidence.

The smallest n with 0.95^n < 0.05 (Wilks, Annals of Mathematical Statistics 1941).
"""
WIDE, ASSUMED = 0.1, 0.9
"""Half an interval of AUROC beyond which detectors can hardly be told apart; at which AUROC."""
DARK = 64
"""Of 256 grey values: what an image should reach somewhere."""
SQUEEZED = 1.1
"""Ratio of two aspect ratios beyond which a square squeezes parts visibly apart."""
CUE, TELLS, SURE = 0.2, 0.5, 0.01
"""Difference of two shares that is worth a look, that tells, and the p value below which."""
MOST = 0.9
"""Share of the image that a mask may mark."""
PROPERTIES = ["format", "mode", "bits", "size"]


def counts(surveyed: Survey) -> Finding:
    """Whether there are enough images to learn from and to test with."""
    images = surveyed.images
    table = images.groupby(["set", "defect_type"], sort=False).size().reset_index(name="images")
    train, anomalous = (images.set == "train").sum(), images.label.sum()
    normal = ((images.set == "test") & (images.label == 0)).sum()
    if train < ENOUGH:
        few = f"{train} images to learn from; take {ENOUGH} or more. With fewer, even the highest"
        return LOOK, f"{few} training score may lie below more than 5 % of new ones.", table
    if not anomalous:
        rate = f"{upper_bound(0, normal):.0%}"
        alarms = f"only false alarms can be counted: with none among {normal} images their rate"
        return LOOK, f"No defective parts, so {alarms} may still be {rate}.", table
    half = half_interval(normal, anomalous)
    sure = f"With {normal} normal and {anomalous} anomalous test images an AUROC of"
    sure = f"{sure} {ASSUMED} is known to about ±{half:.2f}"
    if half > WIDE:
        return LOOK, f"{sure}: take more before ranking detectors.", table
    return OK, f"{sure}.", table


def half_interval(normal: int, anomalous: int, auroc: float = ASSUMED) -> float:
    """Half the 95 % interval that an AUROC will have.

    References
    ----------
    Hanley, McNeil, "The meaning and use of the area under a ROC curve",
    Radiology 1982.
    """
    one, two = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    spread = (anomalous - 1) * (one - auroc**2) + (normal - 1) * (two - auroc**2)
    variance = (auroc * (1 - auroc) + spread) / (normal * anomalous)
    return float(stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(variance))


def files(surveyed: Survey) -> Finding:
    """Images that cannot be read, and files and folders that are not used."""
    images, unused = surveyed.images, surveyed.unused
    broken = images[images.reason != ""]
    rows = list(zip(broken.image, broken.reason, strict=True))
    rows += [(name, _why_unused(name)) for name in unused]
    table = pd.DataFrame(rows, columns=["file", "why"])
    if len(broken):
        many = f"{len(broken)} of {len(images)} images cannot be read"
        return STOP, f"{many}: replace them or take them away.", table
    damage, bare = f"all {len(images)} images can be read", (~images.checksum.astype(bool)).sum()
    if bare:
        damage += f"; {bare} are of a format without checksums, such as JPEG: damage in these"
        damage += " cannot always be seen"
    if unused:
        left = f"Files and folders that are not used: {len(unused)}; {damage}"
        return LOOK, f"{left}. Save as PNG what is an image, in one of the folders.", table
    return OK, f"{damage[0].upper()}{damage[1:]}.", table


def _why_unused(name: str) -> str:
    """Why a file of a category, or a folder, whose name ends in a slash, is not used."""
    if name.endswith("/"):
        return "not used: no image is in it"
    if Path(name).suffix.lower() in SUFFIXES | UNREAD:
        return "not used: it lies beside the folders, in none of them"
    return "not used: its suffix is no image's"


def formats(surveyed: Survey) -> Finding:
    """Formats, modes and sizes; a mix that goes with the label gives it away."""
    images = surveyed.read
    size = images.width.astype(str) + " × " + images.height.astype(str)
    kind = np.where(images.label == 0, images.set + ", normal", "anomalous")
    images = images.assign(size=size, kind=kind)
    table = pd.crosstab([images[name] for name in PROPERTIES], images.kind)
    table = table.reset_index().rename_axis(columns=None)
    gap, cue = max(_cues(images), default=(0, ""), key=lambda pair: pair[0])
    if cue:
        told = f"{cue}: a detector may read that; save all images alike."
        return STOP if gap > TELLS else LOOK, told, table
    aspect, smallest = images.width / images.height, images[["width", "height"]].min(axis=None)
    if aspect.max() > SQUEEZED * aspect.min():
        odd = (np.abs(np.log(aspect / aspect.median())) > np.log(SQUEEZED)).sum()
        many = f"{odd} of {len(images)} images have another shape than most"
        crop = "and all become squares: crop them to one shape."
        return LOOK, f"{many}, {crop}", table
    if smallest < VIEW:
        small = f"Some images have {smallest} pixels a side and are enlarged to {VIEW} or more"
        return LOOK, f"{small}: take larger ones.", table
    return OK, "What mix there is does not go with the label.", table


def _cues(images: pd.DataFrame) -> Iterator[tuple[float, str]]:
    """What differs between normal and anomalous, or training and test: by how much, in words."""
    normal = images[(images.label == 0) & (images.set != "validation")]
    compared = (
        ("normal", "anomalous", images, images.label == 1),
        ("training", "normal test", normal, normal.set == "test"),
    )
    for one, other, part, second in compared:
        for column in PROPERTIES:
            values = part[column].unique()
            if len(values) < 2 or second.nunique() < 2:
                continue
            for value in values:
                table = pd.crosstab(part[column] == value, second)
                share, its = table.loc[True] / table.sum()
                p = stats.fisher_exact(table).pvalue * len(values)
                if abs(its - share) > CUE and p < SURE:
                    shares = f"{share:.0%} of the {one} and {its:.0%} of the {other} images"
                    yield abs(its - share), f"{shares} have {column} {value}"


def range_used(surveyed: Survey) -> Finding:
    """Images that use little of the range: hardly any light, or one bright spot elsewhere.

    Deeper images are brought to 8 bits by one scale for all, so that they stay comparable;
    a single bright pixel among those to learn from leaves few grey values to the others.
    """
    images = surveyed.read
    dark = images[images.brightest < DARK]
    table = dark[["image", "bits", "brightest"]].reset_index(drop=True)
    if dark.empty:
        low = images.brightest.min()
        return OK, f"Every image reaches grey value {low} or more of 255.", table
    many = f"{len(dark)} of {len(images)} images stay below grey value {DARK} of 255"
    spot = "see which image to learn from has the largest value, and whether that is a fault"
    mend = spot if (dark.bits == 16).any() else "give more light"
    return STOP if len(dark) > len(images) / 2 else LOOK, f"{many}: {mend}.", table


def masks(surveyed: Survey) -> Finding:
    """Whether each mask is there, fits its image and marks something."""
    anomalous = surveyed.images.image[surveyed.images.label == 1]
    marked = surveyed.masks
    table = pd.DataFrame(columns=["file", "why"])
    if anomalous.empty:
        return OK, "No defective parts, and so no masks.", table
    if marked.empty:
        whole = "images are scored as a whole, and heat maps have no outline"
        return OK, f"No masks: {whole}.", table
    wrong = [(row.mask, why) for row in marked.itertuples() if (why := _wrong(row))]
    missing = anomalous[~anomalous.isin(marked.image)]
    rows = [*wrong, *((name, "has no mask") for name in missing)]
    table = pd.DataFrame(rows, columns=["file", "why"])
    if wrong:
        many = f"{len(wrong)} of {len(marked)} masks are wrong"
        draw = "draw them again as large as the image, white where the defect is"
        return STOP, f"{many}: {draw}.", table
    if rows:
        bare = f"{len(missing)} of {len(anomalous)} defective parts have no mask"
        return LOOK, f"{bare}: what is scored by pixel leaves them out.", table
    share = f"{marked.area.min():.1%} to {marked.area.max():.0%}"
    return OK, f"All {len(marked)} masks fit; they mark {share} of the image.", table


def _wrong(row: Any) -> str:
    """What is wrong with a mask, from its row in `Survey.masks`; empty if nothing."""
    if row.reason:
        return row.reason
    if not row.area:
        return "empty: all of it is black, and no pixel is marked"
    return f"marks {row.area:.0%} of the image: inverted?" if row.area > MOST else ""

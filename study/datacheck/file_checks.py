"""Checks of what lies in the folders: how many files, of which kind, readable, with masks."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.metrics.intervals import LEVEL, upper_bound
from study.datacheck.check import LOOK, OK, STOP, Check
from study.datacheck.survey import VIEW, Survey

ENOUGH = 59
"""Training images of which the highest score is above 95 % of new ones, with 95 % confidence.

The smallest n with 0.95^n < 0.05 (Wilks, Annals of Mathematical Statistics 1941).
"""
WIDE = 0.1
"""Half an interval of AUROC beyond which two detectors can hardly be told apart."""
ASSUMED = 0.9
"""AUROC at which that interval is asked for."""
DARK = 64
"""Of 256 grey values: what a picture should reach somewhere."""
SQUEEZED = 1.1
"""Ratio of two aspect ratios beyond which a square squeezes parts visibly apart."""
CUE, TELLS, SURE = 0.2, 0.5, 0.01
"""Difference of two shares that is worth a look, that tells, and the p value below which."""

MOST = 0.9
"""Share of the image that a mask may mark."""
PROPERTIES = ["format", "mode", "bits", "size"]


def counts(found: Survey) -> Check:
    """Whether there are enough images to learn from and to judge by."""
    images = found.images
    table = images.groupby(["set", "defect_type"], sort=False).size().rename("images").reset_index()
    train, normal, anomalous = _groups(images)
    if len(train) < ENOUGH:
        said = f"{len(train)} images to learn from: with fewer than {ENOUGH}, no threshold holds"
        return Check("counts", LOOK, f"{said} what it promises; take more.", table)
    if anomalous.empty:
        bound = upper_bound(0, len(normal))
        said = "No defective parts, so only false alarms can be counted: with none among"
        said = f"{said} {len(normal)} images their rate may still be {bound:.0%}."
        return Check("counts", LOOK, said, table)
    half = half_interval(len(normal), len(anomalous))
    said = f"With {len(normal)} normal and {len(anomalous)} anomalous test images an AUROC of"
    said = f"{said} {ASSUMED} is known to about ±{half:.2f}"
    if half > WIDE:
        return Check("counts", LOOK, f"{said}: take more before ranking detectors.", table)
    return Check("counts", OK, f"{said}.", table)


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


def files(found: Survey) -> Check:
    """Pictures that cannot be read, and files that are passed over."""
    broken = found.images[found.images.reason != ""]
    rows = [(row.image, row.reason) for row in broken.itertuples()]
    rows += [(name, "not read: its suffix is no picture's") for name in found.skipped]
    table = pd.DataFrame(rows, columns=["file", "why"])
    if len(broken):
        said = f"{len(broken)} of {len(found.images)} images cannot be read"
        return Check("files", STOP, f"{said}: replace them or take them away.", table)
    bare = int((~found.images.checksum.astype(bool)).sum())
    damage = f"all {len(found.images)} images can be read"
    if bare:
        damage += f"; {bare} are of a format without checksums, such as JPEG: damage in these"
        damage += " cannot always be seen"
    if found.skipped:
        said = f"{len(found.skipped)} files are passed over, {damage}"
        return Check("files", LOOK, f"{said}; save as PNG what is a picture.", table)
    return Check("files", OK, f"{damage[0].upper()}{damage[1:]}.", table)


def formats(found: Survey) -> Check:
    """Formats, modes and sizes; a mix that goes with the label gives it away."""
    own = found.read
    own = own.assign(
        size=own.width.astype(int).astype(str) + " × " + own.height.astype(int).astype(str)
    )
    own = own.assign(kind=np.where(own.label == 0, own.set + ", normal", "anomalous"))
    table = pd.crosstab(
        [own["format"], own["mode"], own["bits"], own["size"]], own.kind
    ).reset_index()
    table.columns.name = None
    verdict, cue = _cue(own)
    if cue:
        said = f"{cue}: a detector may read that; save all pictures alike"
        return Check("formats", verdict, f"{said}.", table)
    aspect = own.width / own.height
    if aspect.max() > SQUEEZED * aspect.min():
        odd = int((np.abs(np.log(aspect / aspect.median())) > np.log(SQUEEZED)).sum())
        said = f"{odd} of {len(own)} pictures have another shape than most, and all become squares"
        return Check("formats", LOOK, f"{said}: crop them to one shape.", table)
    smallest = int(own[["width", "height"]].min(axis=1).min())
    if smallest < VIEW:
        said = f"Some pictures have {smallest} pixels a side and are enlarged to {VIEW} or more"
        return Check("formats", LOOK, f"{said}: take larger ones.", table)
    return Check("formats", OK, "What mix there is does not go with the label.", table)


def _cue(own: pd.DataFrame) -> tuple[str, str]:
    """The property that differs most between normal and anomalous, or train and test."""
    normal = own[own.label == 0]
    verdict, said, largest = OK, "", CUE
    for sides, part, second in (
        (("normal", "anomalous"), own, own.label == 1),
        (("training", "normal test"), normal, normal.set == "test"),
    ):
        if second.nunique() < 2:
            continue
        for column in [name for name in PROPERTIES if part[name].nunique() > 1]:
            for value in part[column].unique():
                has = part[column] == value
                p = stats.fisher_exact(pd.crosstab(has, second)).pvalue * part[column].nunique()
                shares = has[~second].mean(), has[second].mean()
                gap = abs(shares[1] - shares[0])
                if gap > largest and p < SURE:
                    verdict, largest = STOP if gap > TELLS else LOOK, gap
                    said = (
                        f"{shares[0]:.0%} of the {sides[0]} and {shares[1]:.0%} of the {sides[1]}"
                    )
                    said = f"{said} images have {column} {value}"
    return verdict, said


def range_used(found: Survey) -> Check:
    """Pictures that use little of the range: 12 bits in a 16-bit file, or hardly any light.

    16 bits are brought to 8 by one fixed scale, so that all pictures stay
    comparable; a sensor's 12 bits then fill 16 of 256 grey values.
    """
    own = found.read
    dark = own[own.brightest < DARK]
    table = dark[["image", "bits", "brightest"]].reset_index(drop=True)
    if dark.empty:
        low = int(own.brightest.min())
        return Check("range", OK, f"Every picture reaches grey value {low} or more of 255.", table)
    said = f"{len(dark)} of {len(own)} pictures stay below grey value {DARK} of 255"
    scale = "scale them to 16 bits when saving" if (dark.bits == 16).any() else "give more light"
    verdict = STOP if len(dark) > len(own) / 2 else LOOK
    return Check("range", verdict, f"{said}: {scale}.", table)


def masks(found: Survey) -> Check:
    """Whether each mask is there, fits its image and marks something."""
    anomalous = found.images[found.images.label == 1]
    own = found.masks
    if anomalous.empty or not (len(own) or found.orphans):
        said = "No masks: images are judged as a whole, and heat maps have no outline."
        said = said if len(anomalous) else "No defective parts, and so no masks."
        return Check("masks", OK, said, pd.DataFrame(columns=["file", "why"]))
    wrong = [(row.mask, why) for row in own.itertuples() if (why := _wrong(row))]
    missing = anomalous.image[~anomalous.image.isin(own.image)]
    rows = wrong + [(name, "belongs to no image") for name in found.orphans]
    rows += [(name, "has no mask") for name in missing]
    table = pd.DataFrame(rows, columns=["file", "why"])
    if wrong:
        said = f"{len(wrong)} of {len(own)} masks are wrong: draw them again as large as the image"
        return Check("masks", STOP, f"{said}, white where the defect is.", table)
    if rows:
        said = f"{len(missing)} of {len(anomalous)} defective parts have no mask and"
        said = (
            f"{said} {len(found.orphans)} masks no image: what is judged by pixel leaves them out."
        )
        return Check("masks", LOOK, said, table)
    share = f"{own.area.min():.1%} to {own.area.max():.0%}"
    return Check("masks", OK, f"All {len(own)} masks fit; they mark {share} of the image.", table)


def _wrong(row: Any) -> str:
    """What is wrong with a mask, from its row in `Survey.masks`; empty if nothing."""
    if row.reason:
        return row.reason
    if not row.fits:
        return "not as large as its image"
    if not row.area:
        return f"empty; its highest value is {row.brightest:.0f}, and a defect is 255"
    return f"marks {row.area:.0%} of the image: inverted?" if row.area > MOST else ""


def _groups(images: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training images, normal and anomalous test images."""
    test = images[images.set == "test"]
    return images[images.set == "train"], test[test.label == 0], test[test.label == 1]

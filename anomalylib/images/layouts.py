"""Which folders of a category hold what, and what a folder of another name may mean.

MVTec AD (Bergmann et al., CVPR 2019), and MVTec LOCO AD::

    <category>/train/good, test/good, test/<defect type>
    <category>/ground_truth/<defect type>                    optional, masks
    <category>/validation/good                               optional

Own parts::

    <category>/normal
    <category>/abnormal, or abnormal/<defect type>           optional
    <category>/masks, in the same folders as abnormal        optional
    <category>/validation                                    optional
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from anomalylib.errors import UserError
from anomalylib.images.spelling import BAD, GOOD, MASKS, TEST, TRAIN, VALIDATION, kind_of, nearest


class Layout(NamedTuple):
    """The folders of a category, as paths inside it."""

    train: str
    tested: re.Pattern  # those of test images; the rest of the path is the defect type
    masks: str  # for `tested`, with the same folders inside
    words: str  # all folders
    meant: Mapping[str, str]  # which folder, by `kind_of` another's name

    def takes(self, place: str) -> bool:
        """Whether images are taken from a folder."""
        return place in (self.train, *VALIDATIONS) or bool(self.tested.fullmatch(place))

    def masks_of(self, place: str) -> str:
        """The folder with the masks of a folder's images."""
        return "/".join([self.masks, *place.split("/")[1:]])


VALIDATIONS = ("validation", "validation/good")
OWN = Layout(
    train="normal",
    tested=re.compile(r"abnormal(/[^/]+)?"),
    masks="masks",
    words="normal, abnormal, abnormal/<defect type>, masks, masks/<defect type>, validation",
    meant={
        GOOD: "normal",
        BAD: "abnormal",
        MASKS: "masks",
        VALIDATION: "validation",
        TRAIN: "normal",
        TEST: "abnormal",
    },
)
MVTEC = Layout(
    train="train/good",
    tested=re.compile(r"test/[^/]+"),
    masks="ground_truth",
    words="train/good, test/good, test/<defect type>, ground_truth/<defect type>, validation/good",
    meant={
        GOOD: "train/good or test/good",
        BAD: "test/<defect type>",
        MASKS: "ground_truth/<defect type>",
        VALIDATION: "validation/good",
        TRAIN: "train/good",
        TEST: "test/good or test/<defect type>",
    },
)


def misplaced(folder: Path, place: str, layout: Layout, tested: Iterable[str]) -> UserError:
    """The error that images lie in a folder that is not taken: which one may be meant.

    Parameters
    ----------
    folder : Path
        The category's.
    place : str
        The path of the images' folder inside it.
    layout : Layout
    tested : iterable of str
        The folders of test images that are there.
    """
    away = f"or move it out of {folder}"
    for above in map(str, PurePosixPath(place).parents):
        if layout.takes(above):
            only = f"{folder / above} is taken without the folders in it"
            return UserError(f"{folder / place} holds images, but {only}: move them up, {away}")
    meant = _meant(place, layout, tested)
    rename = f"rename it, perhaps to {meant}" if meant else "rename it"
    taken = f"which are not taken from there, but from {layout.words}"
    return UserError(f"{folder / place} holds images, {taken}: {rename}, {away}")


def _meant(place: str, layout: Layout, tested: Iterable[str]) -> str:
    """Which folder is perhaps meant by a path; empty where none is near."""
    top, *inside = place.split("/")
    kind, under = kind_of(top), kind_of(inside[0]) if inside else ""
    if inside and top == layout.masks:
        return nearest(place, map(layout.masks_of, tested))
    if inside and layout is MVTEC and kind in (TRAIN, TEST):
        if under == GOOD or (kind == TRAIN and under != BAD):
            return f"{kind}/good"
        return f"test/{inside[0]}"
    return layout.meant.get(under) or layout.meant.get(kind, "")


def near_miss(folder: Path, inside: Iterable[Path]) -> str:
    """What may be meant where a folder is no category, from the folders in it; or nothing."""
    for each in inside:
        kind = kind_of(each.name)
        wanted = {GOOD: OWN.train, TRAIN: MVTEC.train}.get(kind)
        if wanted:
            return f"; {folder} holds {each.name}: is {wanted} meant?"
    return ""

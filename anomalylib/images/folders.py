"""Where the images of a category lie: MVTec AD's folders, or the simpler ones of own parts.

MVTec AD (Bergmann et al., CVPR 2019)::

    <category>/train/good, test/good, test/<defect type>
    <category>/ground_truth/<defect type>/<name>_mask.png    optional

Own parts::

    <category>/normal
    <category>/abnormal, or abnormal/<defect type>           optional
    <category>/masks, in the same folders as abnormal        optional
"""

import re
from pathlib import Path
from typing import NamedTuple

from anomalylib.errors import UserError
from anomalylib.files import sha256_of
from anomalylib.images.reading import SUFFIXES

HELD_OUT = 0.2  # share of the images in ``normal`` that is not learned from
FEWEST = 5  # images that ``normal`` needs
UNFIT = re.compile(r"^[.-]|[\0-*,/:-@\[-^`{-\x9f]|\s")
"""In a category's name: what commands, pages or formulas would take for something else."""
RENAME = "rename the folder with letters, digits, '_', '-', '+' and '.'"


class Listed(NamedTuple):
    """One image of a category: its file, its defect type, the file of its mask."""

    path: Path
    defect_type: str = "good"
    mask: Path | None = None


def list_categories(root: Path) -> list[str]:
    """Names, sorted, of the folders that hold a ``train/good`` or a ``normal``.

    Parameters
    ----------
    root : Path
        The folder of all categories.
    """
    return sorted(each.name for each in root.iterdir() if _is_mvtec(each) or _is_simple(each))


def find(root: Path, name: str) -> tuple[list[Listed], list[Listed]]:
    """The images of one category, to learn from and to judge; an error if there are none."""
    if not root.is_dir():
        raise UserError(f"no data folder at {root}: give DATA_ROOT a folder of categories")
    names = list_categories(root)
    if name not in names:
        if _is_simple(root) or _is_mvtec(root):
            above = f"DATA_ROOT={root.parent} CATEGORIES={root.name}"
            raise UserError(f"{root} is the folder of one part: give the one above it, {above}")
        shown = [f"{each!r} ({RENAME})" if UNFIT.search(each) else each for each in names]
        those = ", ".join(shown) or "none (a category has a folder normal or train/good)"
        raise UserError(f"no category {name!r} in {root}; found: {those}")
    if UNFIT.search(name):
        raise UserError(f"no category can be called {name!r}: {RENAME}")
    folder = root / name
    if _is_simple(folder) and _is_mvtec(folder):
        raise UserError(f"{folder} has both normal and train/good: take one of them away")
    return _simple(folder) if _is_simple(folder) else _mvtec(folder)


def images_in(folder: Path) -> list[Path]:
    """The images in a folder, sorted by name; what begins with a dot is none."""
    inside = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in inside if path.suffix.lower() in SUFFIXES)


def _is_mvtec(folder: Path) -> bool:
    return (folder / "train" / "good").is_dir()


def _is_simple(folder: Path) -> bool:
    return (folder / "normal").is_dir()


def _mvtec(folder: Path) -> tuple[list[Listed], list[Listed]]:
    train = [Listed(path) for path in _some_in(folder / "train" / "good")]
    test = []
    for inside in sorted(path for path in (folder / "test").glob("*") if path.is_dir()):
        for path in _some_in(inside):
            mask = folder / "ground_truth" / inside.name / f"{path.stem}_mask.png"
            test.append(Listed(path, inside.name, mask if mask.is_file() else None))
    if not any(image.defect_type == "good" for image in test):
        without = f"without one, put all good parts into {folder / 'normal'}"
        raise UserError(f"{folder}/test needs a folder good, with images: {without}")
    return train, test


def _simple(folder: Path) -> tuple[list[Listed], list[Listed]]:
    """A fifth of the normal images is held out: those with the smallest hashes.

    So it is the same fifth whatever the files are called, and copies of an
    image are on one side.
    """
    normal = _some_in(folder / "normal", FEWEST)
    hashes = {path: sha256_of(path) for path in normal}
    last = sorted(hashes.values())[max(1, round(HELD_OUT * len(normal))) - 1]
    held_out = [Listed(path) for path in normal if hashes[path] <= last]
    train = [Listed(path) for path in normal if hashes[path] > last]
    if len(train) < 2:
        raise UserError(f"the images in {folder / 'normal'} are copies of each other")
    return train, held_out + _abnormal(folder)


def _abnormal(folder: Path) -> list[Listed]:
    """The images in ``abnormal`` itself, and those of each defect type in it."""
    abnormal = folder / "abnormal"
    if not abnormal.is_dir():
        return []
    kinds = sorted(path for path in abnormal.iterdir() if path.is_dir())
    if abnormal / "good" in kinds:
        raise UserError(f"{abnormal / 'good'} contradicts itself: move it or rename it")
    if not kinds or images_in(abnormal):
        kinds.insert(0, abnormal)
    listed = []
    for inside in kinds:
        drawn = folder / "masks" / inside.relative_to(abnormal)
        masks = images_in(drawn) if drawn.is_dir() else []
        by_name = {mask.stem.removesuffix("_mask"): mask for mask in masks}
        listed += [Listed(path, inside.name, by_name.get(path.stem)) for path in _some_in(inside)]
    return listed


def _some_in(folder: Path, fewest: int = 1) -> list[Path]:
    """The images in a folder, an error where they are too few or lie deeper."""
    inside = images_in(folder)
    if len(inside) < fewest:
        kinds = " ".join(sorted(SUFFIXES))
        few = f"{len(inside) or 'no'} images in {folder}"
        raise UserError(f"{few}: put {fewest} or more there ({kinds}), or remove the folder")
    if folder.name == "normal" and any(path.is_dir() for path in folder.iterdir()):
        raise UserError(f"{folder} has folders in it: put all its images into {folder} itself")
    return inside

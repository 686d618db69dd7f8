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

HELD_OUT = 0.2
"""Share of the images in ``normal`` that is not learned from."""
FEWEST = 5
"""Images that ``normal`` needs."""
UNNAMED = "abnormal"
"""The defect type of images that lie in ``abnormal`` itself."""


UNFIT = re.compile(r"^[.-]|[\0-*,/:-@\[-^`{-\x9f]|\s")
"""In a category's name: what commands, pages or formulas would take for something else."""
RENAME = "rename the folder with letters, digits, '_', '-', '+' and '.'"


class Found(NamedTuple):
    """One image: where it is, its defect type, its mask."""

    path: Path
    defect_type: str
    mask: Path | None


def list_categories(root: Path) -> list[str]:
    """Names of the folders below `root` that hold a ``train/good`` or a ``normal``.

    Parameters
    ----------
    root : Path
        The folder of all categories.

    Returns
    -------
    list of str
        Sorted.
    """
    folders = [folder for folder in root.iterdir() if folder.is_dir()]
    return sorted(folder.name for folder in folders if _is_mvtec(folder) or _is_own(folder))


def find(root: Path, name: str) -> tuple[list[Found], list[Found]]:
    """The images of one category.

    Raises
    ------
    UserError
        If a folder is missing or empty, or the category is not there.
    """
    if not root.is_dir():
        raise UserError(f"no data folder at {root}: give DATA_ROOT a folder of categories")
    names = list_categories(root)
    if name not in names:
        if _is_own(root) or _is_mvtec(root):
            above = f"DATA_ROOT={root.parent} CATEGORIES={root.name}"
            raise UserError(f"{root} is the folder of one part: give the one above it, {above}")
        those = (
            ", ".join(map(_shown, names)) or "none (a category has a folder normal or train/good)"
        )
        raise UserError(f"no category {name!r} in {root}; found: {those}")
    if UNFIT.search(name):
        raise UserError(f"no category can be called {name!r}: {RENAME}")
    folder = root / name
    if _is_own(folder) and _is_mvtec(folder):
        raise UserError(f"{folder} has both normal and train/good: take one of them away")
    return _own(folder) if _is_own(folder) else _mvtec(folder)


def images_in(folder: Path) -> list[Path]:
    """The images in a folder, sorted by name; what begins with a dot is none."""
    inside = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in inside if path.suffix.lower() in SUFFIXES)


def _shown(name: str) -> str:
    """A folder's name in a list, and what to do if no command can name it."""
    return f"{name!r} ({RENAME})" if UNFIT.search(name) else name


def _is_mvtec(folder: Path) -> bool:
    return (folder / "train" / "good").is_dir()


def _is_own(folder: Path) -> bool:
    return (folder / "normal").is_dir()


def _mvtec(folder: Path) -> tuple[list[Found], list[Found]]:
    train = [Found(path, "good", None) for path in _some_in(folder / "train" / "good")]
    test = []
    for inside in sorted(path for path in (folder / "test").glob("*") if path.is_dir()):
        for path in _some_in(inside):
            mask = folder / "ground_truth" / inside.name / f"{path.stem}_mask.png"
            test.append(Found(path, inside.name, mask if mask.is_file() else None))
    if not any(found.defect_type == "good" for found in test):
        without = f"without one, put all good parts into {folder / 'normal'}"
        raise UserError(f"{folder}/test needs a folder good, with images: {without}")
    return train, test


def _own(folder: Path) -> tuple[list[Found], list[Found]]:
    """A fifth of the normal images is held out: those with the smallest hashes.

    So it is the same fifth whatever the files are called, and copies of an
    image are on one side.
    """
    normal = _some_in(folder / "normal", FEWEST)
    hashes = {path: sha256_of(path) for path in normal}
    last = sorted(hashes.values())[max(1, round(HELD_OUT * len(normal))) - 1]
    held_out = [Found(path, "good", None) for path in normal if hashes[path] <= last]
    train = [Found(path, "good", None) for path in normal if hashes[path] > last]
    if len(train) < 2:
        raise UserError(f"the images in {folder / 'normal'} are copies of each other")
    return train, held_out + _abnormal(folder)


def _abnormal(folder: Path) -> list[Found]:
    """The images in ``abnormal`` itself, and those of each folder in it."""
    abnormal = folder / "abnormal"
    if not abnormal.is_dir():
        return []
    kinds = sorted(path for path in abnormal.iterdir() if path.is_dir())
    if abnormal / "good" in kinds:
        raise UserError(f"{abnormal / 'good'} contradicts itself: move it or rename it")
    if not kinds or images_in(abnormal):
        kinds.insert(0, abnormal)
    found = []
    for inside in kinds:
        kind = inside.name if inside != abnormal else UNNAMED
        for path in _some_in(inside):
            found.append(Found(path, kind, _mask_of(path, folder)))
    return found


def _mask_of(path: Path, folder: Path) -> Path | None:
    """The picture in ``masks`` of the same name, with or without ``_mask`` at its end."""
    beside = folder / "masks" / path.parent.relative_to(folder / "abnormal")
    if not beside.is_dir():
        return None
    masks = {mask.stem.removesuffix("_mask"): mask for mask in images_in(beside)}
    return masks.get(path.stem)


def _some_in(folder: Path, fewest: int = 1) -> list[Path]:
    """The images in a folder, an error where they are too few or lie deeper."""
    found = images_in(folder)
    if len(found) < fewest:
        kinds = " ".join(sorted(SUFFIXES))
        few = f"{len(found)} images in {folder}" if found else f"no images in {folder}"
        raise UserError(f"{few}: put {fewest} or more there ({kinds}), or remove the folder")
    if folder.name == "normal" and any(path.is_dir() for path in folder.iterdir()):
        raise UserError(f"{folder} has folders in it: put all its images into {folder} itself")
    return found

"""What lies in a category's folder: images to learn from and to test with, masks, and the rest.

Every file and folder of a category is used, or named as unused, or an error.
Used are the images in the folders of `anomalylib.images.layouts`. Unused are files
without an image's suffix, images beside these folders, and folders without any
image. An image in any other folder is an error, since it may be meant. An image called
`VIEW`, beside the folders, marks what is looked at in all images.
Passed over without a word is what an operating system leaves: names that begin
with a dot, and those of `SYSTEM`.
"""

import re
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from anomalylib.errors import UserError, first_line
from anomalylib.files import sha256_of
from anomalylib.images.layouts import MVTEC, OWN, VALIDATIONS, Layout, misplaced, near_miss
from anomalylib.images.masks import files_of, matched
from anomalylib.images.reading import SUFFIXES, UNREAD
from anomalylib.images.spelling import GOOD, kind_of

HELD_OUT = 0.2  # share of the images in ``normal`` that is not learned from
FEWEST = 5  # images that ``normal`` needs
UNFIT = re.compile(r"^[.-]|[\0-*,/:-@\[-^`{-\x9f]|\s")
"""In a category's name: what commands, pages or formulas would take for something else."""
RENAME = "rename the folder with letters, digits, '_', '-', '+' and '.'"
VIEW = "field_of_view"
SYSTEM = {"thumbs.db", "desktop.ini", "__macosx", "@eadir"}
UNWRITABLE = re.compile(r"[\0-\x1f\x7f\ud800-\udfff]")
"""In a file's name: control characters, and bytes that are no text."""


class Listed(NamedTuple):
    """One image of a category: its file, its defect type, its mask, a file or a folder."""

    path: Path
    defect_type: str = "good"
    mask: Path | None = None


class Found(NamedTuple):
    """What lies in a category's folder."""

    train: list[Listed]
    test: list[Listed]
    validation: list[Listed]
    unused: tuple[str, ...]  # paths inside the category; that of a folder ends in "/"
    view: Path | None  # the field of view: marks what is looked at


def list_categories(root: Path) -> list[str]:
    """Names, sorted, of the folders that hold a ``train/good`` or a ``normal``.

    Parameters
    ----------
    root : Path
        The folder of all categories.
    """
    return sorted(each.name for each in root.iterdir() if _layouts(each))


def files_below(folder: Path) -> list[Path]:
    """All files under a folder, at any depth, sorted; but what is the system's.

    Raises
    ------
    UserError
        If a folder cannot be listed, a name cannot be written, or a link leads back.
    """
    found: list[Path] = []
    for each in _inside(folder):
        found += files_below(each) if _is_folder(each) else [each]
    return found


def find(root: Path, name: str) -> Found:
    """The images of one category; an error if there are none, or some might be missed."""
    if not root.is_dir():
        raise UserError(f"no data folder at {root}: give DATA_ROOT a folder of categories")
    names = list_categories(root)
    if name not in names:
        if _layouts(root):
            above = f"DATA_ROOT={root.parent} CATEGORIES={root.name}"
            raise UserError(f"{root} is the folder of one part: give the one above it, {above}")
        shown = [f"{each!r} ({RENAME})" if UNFIT.search(each) else each for each in names]
        those = ", ".join(shown) or "none (a category has a folder normal or train/good)"
        folder = root / name
        meant = near_miss(folder, _inside(folder)) if name and folder.is_dir() else ""
        raise UserError(f"no category {name!r} in {root}; found: {those}{meant}")
    if UNFIT.search(name):
        raise UserError(f"no category can be called {name!r}: {RENAME}")
    folder = root / name
    layout, *more = _layouts(folder)
    if more:
        raise UserError(f"{folder} has both normal and train/good: take one of them away")
    return _found(folder, layout)


def _found(folder: Path, layout: Layout) -> Found:
    """What lies in the folder of a category of this layout."""
    images, masks = _by_place(folder, layout)
    tested = [place for place in images if layout.tested.fullmatch(place)]
    for place in tested:
        kind = place.partition("/")[2]
        if (kind != "good" or layout is OWN) and kind_of(kind) == GOOD:
            wanted = folder / ("test/good" if layout is MVTEC else "normal")
            ask = f"move them to {wanted} if they are normal, and rename the folder if they are not"
            raise UserError(f"{folder / place} holds test images, but says {kind!r}: {ask}")
    mask_of: dict[Path, Path | None] = {}
    for place in tested:
        own = masks.pop(layout.masks_of(place), [])
        mask_of |= zip(images[place], matched(images[place], own), strict=True)
    for place in masks:
        raise misplaced(folder, place, layout, tested)
    kinds = {place: place.partition("/")[2] or place for place in tested}
    test = [Listed(path, kinds[place], mask_of[path]) for place in tested for path in images[place]]
    validation = [Listed(path) for place in VALIDATIONS for path in images.get(place, [])]
    train = [Listed(path) for path in images.get(layout.train, [])]
    fewest = FEWEST if layout is OWN else 1
    if len(train) < fewest:
        few = f"{len(train) or 'no'} images in {folder / layout.train}"
        raise UserError(f"{few}: put {fewest} or more there ({' '.join(sorted(SUFFIXES))})")
    if layout is OWN:
        train, held_out = _parted(train, folder)
        test = held_out + test
    if not any(image.defect_type == "good" for image in test):
        without = f"without one, put all good parts into {folder / 'normal'}"
        raise UserError(f"{folder}/test needs a folder good, with images: {without}")
    listed = [*train, *test, *validation]
    used = {file for image in listed if image.mask for file in files_of(image.mask)}
    used |= {image.path for image in listed}
    views = [path for path in _inside(folder) if path.stem == VIEW]
    view, *others = [path for path in views if path.suffix.lower() in SUFFIXES] or [None]
    if others:
        raise UserError(f"{folder} has two fields of view, {view} and {others[0]}: keep one")
    used |= {view} if view else set()
    holding = {above for path in used for above in path.parents}
    unused = [path.relative_to(folder).as_posix() for path in _unused(folder, used | holding)]
    marked = [f"{path}/" if _is_folder(folder / path) else path for path in unused]
    return Found(train, test, validation, tuple(marked), view)


def _by_place(folder: Path, layout: Layout) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Images by the paths of their folders, and masks, files or folders, by those of theirs."""
    places: dict[str, list[Path]] = defaultdict(list)
    for path in files_below(folder):
        if path.parent != folder and path.suffix.lower() in SUFFIXES | UNREAD:
            places[path.parent.relative_to(folder).as_posix()].append(path)
    images = {place: places[place] for place in sorted(places, key=_parts) if layout.takes(place)}
    tested = [place for place in images if layout.tested.fullmatch(place)]
    of_masks = set(map(layout.masks_of, tested))
    masks: dict[str, list[Path]] = defaultdict(list)
    for place, inside in places.items():
        above = place.rpartition("/")[0]
        if place in of_masks:
            masks[place] += inside
        elif above in of_masks:
            masks[above].append(folder / place)
        elif place not in images:
            raise misplaced(folder, place, layout, tested)
        for path in inside:
            if path.suffix.lower() in UNREAD:
                raise UserError(f"{path} is of a format that is not read: save it as PNG")
            if not path.is_file():
                raise UserError(f"{path} is a link to nothing, or no file: take it away")
    return images, masks


def _parts(place: str) -> list[str]:
    return place.split("/")


def _parted(normal: list[Listed], folder: Path) -> tuple[list[Listed], list[Listed]]:
    """A fifth of the normal images is held out: those with the smallest hashes.

    So it is the same fifth whatever the files are called, and copies of an
    image are on one side.
    """
    hashes = [sha256_of(image.path) for image in normal]
    last = sorted(hashes)[max(1, round(HELD_OUT * len(normal))) - 1]
    held_out = [image for image, digest in zip(normal, hashes, strict=True) if digest <= last]
    train = [image for image, digest in zip(normal, hashes, strict=True) if digest > last]
    if len(train) < 2:
        raise UserError(f"the images in {folder / 'normal'} are copies of each other")
    return train, held_out


def _unused(folder: Path, used: Collection[Path]) -> list[Path]:
    """What is in a folder but of no use, whole folders where nothing in them is."""
    left: list[Path] = []
    for each in _inside(folder):
        if each not in used:
            left.append(each)
        elif _is_folder(each):
            left += _unused(each, used)
    return left


def _inside(folder: Path) -> list[Path]:
    """Files and folders in a folder, sorted, but what is the system's."""
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot list {folder}: {first_line(error)}") from None
    inside = [path for path in inside if path.name[0] != "." and path.name.lower() not in SYSTEM]
    for path in inside:
        if UNWRITABLE.search(path.name):
            raise UserError(
                f"in {folder} is a name that cannot be written, {path.name!a}: change it"
            )
        if (
            path.is_symlink()
            and _is_folder(path)
            and folder.resolve().is_relative_to(path.resolve())
        ):
            raise UserError(f"{path} leads back to a folder above it: take the link away")
    return inside


def _layouts(folder: Path) -> list[Layout]:
    """The layouts whose first folder is in a folder."""
    if folder.name.startswith("."):
        return []
    return [layout for layout in (OWN, MVTEC) if _is_folder(folder / layout.train)]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # what is above it may not be searched
        return False

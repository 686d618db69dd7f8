"""Masks: to which image one belongs, and which pixels it marks.

One rule for every layout. A mask has the name of its image, or that and
``_mask``, with any suffix of an image; or a folder of that name holds several,
which count together, as in MVTec LOCO AD. It belongs to one image, and an image
has one.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anomalylib.errors import UserError
from anomalylib.images.reading import SUFFIXES, orientation_of, read_values, size_of
from anomalylib.images.spelling import same_form


def matched(images: Sequence[Path], masks: Sequence[Path]) -> list[Path | None]:
    """The mask of each image, or None.

    Parameters
    ----------
    images : sequence of Path
        All images of one folder.
    masks : sequence of Path
        What lies in the folder of their masks: files, or folders of files.

    Raises
    ------
    UserError
        If a mask belongs to no image or to several, or an image has several.
    """
    by_name = defaultdict(list)
    for image in images:
        by_name[same_form(image.stem)].append(image)
        by_name[same_form(image.stem) + "_mask"].append(image)
    found: dict[Path, Path] = {}
    for mask in masks:
        name = same_form(mask.name if mask.is_dir() else mask.stem)
        owners = by_name[name]
        if not owners:
            wanted = f"{images[0].parent} has no {name.removesuffix('_mask')}" if images else ""
            raise UserError(f"the mask {mask} belongs to no image: {wanted}; rename or remove it")
        if len(owners) > 1:
            those = " and ".join(image.name for image in owners)
            raise UserError(f"the mask {mask} may belong to {those}: give them other names")
        other = found.setdefault(owners[0], mask)
        if other != mask:
            raise UserError(f"{owners[0]} has two masks, {other} and {mask}: keep one of them")
    return [found.get(image) for image in images]


def files_of(mask: Path) -> list[Path]:
    """The files of a mask: itself, or those in its folder, by name."""
    inside = sorted(mask.iterdir()) if mask.is_dir() else [mask]
    return [path for path in inside if path.suffix.lower() in SUFFIXES and path.name[0] != "."]


def marked(mask: Path, image: Path) -> np.ndarray:
    """The pixels of an image that its mask marks, (H, W) bool.

    A pixel is marked where one of its channels is above half of the largest
    value in the file; so it does not matter whether a mark is 1 or 255.

    Raises
    ------
    UserError
        If a file cannot be read, or is of another size or orientation than the image.
    """
    height, width = size_of(image)
    pixels = np.zeros((height, width), dtype=bool)
    for path in files_of(mask):
        one, other = orientation_of(path), orientation_of(image)
        if one != other:
            wrong = f"the mask {path} has the EXIF orientation {one}, its image {other}"
            raise UserError(f"{wrong}: save both upright, without this tag")
        tall, wide = size_of(path)
        if (height, width) != (tall, wide):
            wrong = f"the mask {path} has {wide} x {tall} pixels, its image {width} x {height}"
            raise UserError(f"{wrong}: draw it on the image, or take it away")
        values = read_values(path).max(axis=-1).astype(int)
        pixels |= 2 * values > values.max()
    return pixels

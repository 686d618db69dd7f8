"""Every image of a category looked at once: its file, a few statistics, a thumbnail.

Nothing here judges; `study.datacheck.checks` does.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from anomalylib.errors import UserError
from anomalylib.images.category import Category, ImageSet, resize
from anomalylib.images.reading import FORMATS, SUFFIXES, has_checksums, read_image, size_of

VIEW = 224
"""Side, in pixels, at which sharpness is measured: that of most detectors."""
THUMBNAIL = 32
"""Side of a thumbnail, in pixels; a divisor of `VIEW`."""
BITS = {"1": 1, "I": 16, "F": 32}
"""Bits a channel of Pillow's modes; those not named have 8, and ``I;16`` and the like 16."""
COLUMNS = ["image", "set", "defect_type", "label", "format", "mode", "bits", "width", "height"]
COLUMNS += ["checksum", "pixels", "mean_grey", "contrast", "brightest", "sharpness", "reason"]
"""Of an image: which, its file, its `statistics`, and why it cannot be read, mostly empty."""
MASK_COLUMNS = ["image", "mask", "fits", "area", "brightest", "reason"]
"""Of a mask: whether it is as large as its image, and the share of it that it marks."""


@dataclass(frozen=True)
class Survey:
    """What one pass over the images of a category has seen; what it could not is missing."""

    category: Category
    images: pd.DataFrame  # one row an image, training images first
    thumbnails: np.ndarray  # (N, T, T) float32, 0 to 255; of no value where there is a reason
    masks: pd.DataFrame  # one row a mask on disk
    skipped: tuple[str, ...]  # files beside the images whose suffix is that of no image
    orphans: tuple[str, ...]  # masks that belong to no image

    @property
    def read(self) -> pd.DataFrame:
        """The rows of the images that could be read."""
        whole = self.images[self.images.reason == ""]
        return whole.astype(dict.fromkeys(["bits", "width", "height", "brightest"], int))

    def path(self, row: int) -> Path:
        """The file of one row of `images`."""
        return self.category.train.folder / self.images.image[row]


def survey(category: Category) -> Survey:
    """Look at every image and every mask once; one that cannot be read stops nothing."""
    everything = [
        (part, *image)
        for part, images in (("train", category.train), ("test", category.test))
        for image in zip(images.names, images.paths, images.defect_types, strict=True)
    ]
    rows, thumbnails = [], []
    for part, name, path, kind in tqdm(everything, desc="looking at images", unit="image"):
        row = {"image": name, "set": part, "defect_type": kind, "label": int(kind != "good")}
        try:
            numbers, thumbnail = statistics(read_image(path))
            row |= _of_file(path) | numbers | {"reason": ""}
        except UserError as error:
            row["reason"] = str(error).replace(str(path), name)
            thumbnail = np.zeros((THUMBNAIL, THUMBNAIL), dtype=np.float32)
        rows.append(row)
        thumbnails.append(thumbnail)
    folder = category.test.folder
    beside = _files(sorted({path.parent for _, _, path, _ in everything}), "*")
    masks = _files([folder / "masks", folder / "ground_truth"], "**/*")
    skipped = [path for path in beside if path.suffix.lower() not in SUFFIXES]
    orphans = [path for path in masks if path not in category.test.masks]
    return Survey(
        category,
        pd.DataFrame(rows).reindex(columns=COLUMNS),
        np.stack(thumbnails),
        pd.DataFrame(_masks(category.test)).reindex(columns=MASK_COLUMNS),
        tuple(path.relative_to(folder).as_posix() for path in skipped),
        tuple(path.relative_to(folder).as_posix() for path in orphans),
    )


def statistics(image: np.ndarray) -> tuple[dict[str, object], np.ndarray]:
    """A few numbers of an image, (H, W, 3) `uint8`, and its thumbnail, (T, T) `float32`.

    ``pixels`` is their hash; ``mean_grey`` and ``contrast`` are mean and standard deviation
    of the grey values; ``brightest`` is what one pixel in a thousand reaches; ``sharpness``
    is the variance of the Laplacian at `VIEW` pixels a side over that of the grey values,
    which a dimmer lamp does not change.
    """
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image))
    view = resize(image, VIEW).mean(axis=-1, dtype=np.float32)  # (V, V)
    cells = view.reshape(THUMBNAIL, VIEW // THUMBNAIL, THUMBNAIL, VIEW // THUMBNAIL)
    counts = np.reshape(Image.fromarray(image).histogram(), (3, 256)).sum(axis=0)
    numbers = {
        "pixels": digest.hexdigest(),
        "mean_grey": float(image.mean()),
        "contrast": float(view.std()),
        "brightest": int(np.searchsorted(counts.cumsum(), 0.999 * image.size)),
        "sharpness": float(ndimage.laplace(view).var() / max(view.var(), 1e-6)),
    }
    return numbers, cells.mean(axis=(1, 3))  # (T, T)


def _of_file(path: Path) -> dict[str, object]:
    """Format, mode, bits a channel and size of an image, from the file's head."""
    height, width = size_of(path)
    with Image.open(path, formats=FORMATS) as image:
        bits = 16 if image.mode.startswith("I;16") else BITS.get(image.mode, 8)
        row = {"format": image.format, "mode": image.mode, "bits": bits}
    return row | {"width": width, "height": height, "checksum": has_checksums(path)}


def _masks(test: ImageSet) -> Iterator[dict[str, object]]:
    """One row a mask of the test images."""
    for name, path, mask in zip(test.names, test.paths, test.masks, strict=True):
        if mask is None:
            continue
        row = {"image": name, "mask": mask.relative_to(test.folder).as_posix(), "reason": ""}
        try:
            pixels = read_image(mask)[..., 0]  # (H, W)
            row |= {"area": float((pixels > 127).mean()), "brightest": int(pixels.max())}
            row["fits"] = True
            with contextlib.suppress(UserError):  # what is wrong with the image, its row says
                row["fits"] = size_of(path) == pixels.shape
        except UserError as error:
            row["reason"] = str(error)
        yield row


def _files(folders: Iterable[Path], pattern: str) -> list[Path]:
    """The files in some folders, without hidden ones."""
    paths = (path for folder in folders for path in sorted(folder.glob(pattern)))
    return [path for path in paths if path.is_file() and not path.name.startswith(".")]

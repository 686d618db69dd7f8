"""Every picture of a category looked at once: its file, a few statistics, a thumbnail.

Nothing here judges; `study.datacheck.checks` does.
"""

import hashlib
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Survey:
    """What one pass over the pictures of a category has found.

    Parameters
    ----------
    category : Category
    images : DataFrame
        One row an image, training images first: ``image``, ``set`` (train or
        test), ``defect_type``, ``label``; ``format``, ``mode``, ``bits``,
        ``width``, ``height``, ``checksum``; ``pixels`` (their SHA-256),
        ``mean_grey``, ``contrast``, ``brightest``, ``sharpness``; and ``reason``,
        empty where the picture could be read. What could not be found is missing.
    thumbnails : ndarray, shape (N, T, T), float32
        Grey values, 0 to 255; of no value where there is a ``reason``.
    masks : DataFrame
        One row a mask on disk: ``image``, ``mask``, ``fits`` (is as large as its
        image), ``area`` (share of its pixels), ``brightest``, ``reason``.
    skipped : tuple of str
        Files beside the images whose suffix is that of no picture.
    orphans : tuple of str
        Masks that belong to no image.
    """

    category: Category
    images: pd.DataFrame
    thumbnails: np.ndarray
    masks: pd.DataFrame
    skipped: tuple[str, ...]
    orphans: tuple[str, ...]

    @property
    def read(self) -> pd.DataFrame:
        """The rows of the images that could be read."""
        whole = self.images[self.images.reason == ""]
        return whole.astype(dict.fromkeys(["bits", "width", "height", "brightest"], int))

    def path(self, row: int) -> Path:
        """The file of one row of `images`."""
        return self.category.train.folder / self.images.image[row]


def survey(category: Category) -> Survey:
    """Look at every image and every mask once.

    Parameters
    ----------
    category : Category

    Returns
    -------
    Survey
        An image that cannot be read has its reason there; it stops nothing.
    """
    rows, thumbnails = [], []
    everything = [
        (name, images, index)
        for name, images in (("train", category.train), ("test", category.test))
        for index in range(len(images))
    ]
    for name, images, index in tqdm(everything, desc="looking at images", unit="image"):
        own = {
            "image": images.names[index],
            "set": name,
            "defect_type": images.defect_types[index],
            "label": int(images.defect_types[index] != "good"),
        }
        try:
            image = read_image(images.paths[index])
            found, thumbnail = statistics(image)
            rows.append(own | of_file(images.paths[index]) | found | {"reason": ""})
            thumbnails.append(thumbnail)
        except UserError as error:
            reason = str(error).replace(str(images.paths[index]), own["image"])
            rows.append(own | {"reason": reason})
            thumbnails.append(np.zeros((THUMBNAIL, THUMBNAIL), dtype=np.float32))
    folders = {path.parent for path in (*category.train.paths, *category.test.paths)}
    return Survey(
        category,
        pd.DataFrame(rows).reindex(columns=COLUMNS),
        np.stack(thumbnails),
        pd.DataFrame(_masks(category.test)).reindex(columns=MASK_COLUMNS),
        tuple(_skipped(category.train.folder, folders)),
        tuple(_orphans(category.test)),
    )


COLUMNS = ["image", "set", "defect_type", "label", "format", "mode", "bits", "width", "height"]
COLUMNS += ["checksum", "pixels", "mean_grey", "contrast", "brightest", "sharpness", "reason"]
MASK_COLUMNS = ["image", "mask", "fits", "area", "brightest", "reason"]


def of_file(path: Path) -> dict[str, object]:
    """Format, mode, bits a channel and size of a picture, from the file's head."""
    height, width = size_of(path)
    with Image.open(path, formats=FORMATS) as image:
        bits = 16 if image.mode.startswith("I;16") else BITS.get(image.mode, 8)
        own = {"format": image.format, "mode": image.mode, "bits": bits}
    return own | {"width": width, "height": height, "checksum": has_checksums(path)}


def statistics(image: np.ndarray) -> tuple[dict[str, object], np.ndarray]:
    """A few numbers of a picture, and its thumbnail.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8

    Returns
    -------
    dict
        ``mean_grey`` and ``contrast``, the mean and the standard deviation of
        the grey values; ``brightest``, what one pixel in a thousand reaches; and
        ``sharpness``, the variance of the Laplacian at `VIEW` pixels a side over
        the variance of the grey values, which a dimmer lamp does not change.
    ndarray, shape (T, T), float32
        Grey values.
    """
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image))
    view = resize(image, VIEW).mean(axis=-1, dtype=np.float32)  # (V, V)
    cells = view.reshape(THUMBNAIL, VIEW // THUMBNAIL, THUMBNAIL, VIEW // THUMBNAIL)
    counts = np.reshape(Image.fromarray(image).histogram(), (3, 256)).sum(axis=0)
    found = {
        "pixels": digest.hexdigest(),
        "mean_grey": float(image.mean()),
        "contrast": float(view.std()),
        "brightest": int(np.searchsorted(counts.cumsum(), 0.999 * image.size)),
        "sharpness": float(ndimage.laplace(view).var() / max(view.var(), 1e-6)),
    }
    return found, cells.mean(axis=(1, 3))  # (T, T)


def _masks(test: ImageSet) -> Iterator[dict[str, object]]:
    """One row a mask of the test images."""
    for name, path, mask in zip(test.names, test.paths, test.masks, strict=True):
        if mask is None:
            continue
        row = {"image": name, "mask": mask.relative_to(test.folder).as_posix(), "reason": ""}
        try:
            pixels = read_image(mask)[..., 0]  # (H, W)
            row |= {"area": float((pixels > 127).mean()), "brightest": int(pixels.max())}
            row["fits"] = _size_or_none(path) in (pixels.shape, None)
        except UserError as error:
            row["reason"] = str(error)
        yield row


def _size_or_none(path: Path) -> tuple[int, int] | None:
    """Height and width, None where the picture cannot be read; that is said elsewhere."""
    try:
        return size_of(path)
    except UserError:
        return None


def _skipped(whole: Path, folders: set[Path]) -> Iterator[str]:
    """Files in some folders that are not read, without hidden ones."""
    for folder in sorted(folders):
        for path in sorted(folder.iterdir()):
            known = path.suffix.lower() in SUFFIXES or path.name.startswith(".")
            if path.is_file() and not known:
                yield path.relative_to(whole).as_posix()


def _orphans(test: ImageSet) -> Iterator[str]:
    """Masks beside those in use that no image has asked for."""
    for root in (test.folder / "masks", test.folder / "ground_truth"):
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            visible = path.is_file() and not path.name.startswith(".")
            if visible and path not in test.masks:
                yield path.relative_to(test.folder).as_posix()

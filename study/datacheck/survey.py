"""Every image of a category looked at once: its file, a few statistics, a thumbnail.

Verdicts are given in `study.datacheck.checks`.
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
from anomalylib.images.reading import has_checksums, is_deep, opened, read_image, size_of

VIEW = 224
"""Side, in pixels, at which sharpness is measured: that of most detectors."""
THUMBNAIL = 32
"""Side of a thumbnail, in pixels; a divisor of `VIEW`."""
COLUMNS = ["image", "set", "defect_type", "label", "format", "mode", "bits", "width", "height"]
COLUMNS += ["checksum", "pixels", "mean_grey", "contrast", "brightest", "sharpness", "reason"]
"""Of an image: which, its file, its `statistics`, and why it cannot be read, mostly empty."""
MASK_COLUMNS = ["image", "mask", "area", "reason"]
"""Of a mask: the share of its image that it marks, or why it cannot be used."""


@dataclass(frozen=True)
class Survey:
    """What one pass over the images of a category has seen; what it could not is missing."""

    category: Category
    images: pd.DataFrame  # one row an image, training images first
    thumbnails: np.ndarray  # (N, T, T) float32, 0 to 255; of no value where there is a reason
    masks: pd.DataFrame  # one row a mask on disk
    unused: tuple[str, ...]  # files and folders of the category that hold no image of it

    @property
    def read(self) -> pd.DataFrame:
        """The rows of the images that could be read."""
        whole = self.images[self.images.reason == ""]
        return whole.astype(dict.fromkeys(["bits", "width", "height", "brightest"], int))

    def image(self, row: int) -> np.ndarray:
        """The image of one row of `images`, (H, W, 3), uint8."""
        train = self.category.train
        return read_image(train.folder / self.images.image[row], train.bits)


def survey(category: Category) -> Survey:
    """Look at every image and every mask once; one that cannot be read stops nothing."""
    sets = {"train": category.train, "validation": category.validation, "test": category.test}
    everything = [
        (part, images, index)
        for part, images in sets.items()
        for index in range(len(images) if images else 0)
    ]
    rows, thumbnails = [], []
    for part, images, index in tqdm(everything, desc="looking at images", unit="image"):
        name, path, kind = images.names[index], images.paths[index], images.defect_types[index]
        row = {"image": name, "set": part, "defect_type": kind, "label": int(kind != "good")}
        try:
            numbers, thumbnail = statistics(images[index])
            row |= _of_file(path) | numbers | {"reason": ""}
        except UserError as error:
            row["reason"] = str(error).replace(str(path), name)
            thumbnail = np.zeros((THUMBNAIL, THUMBNAIL), dtype=np.float32)
        rows.append(row)
        thumbnails.append(thumbnail)
    return Survey(
        category,
        pd.DataFrame(rows).reindex(columns=COLUMNS),
        np.stack(thumbnails),
        pd.DataFrame(_masks(category.test)).reindex(columns=MASK_COLUMNS),
        category.unused,
    )


def statistics(image: np.ndarray) -> tuple[dict[str, object], np.ndarray]:
    """A few numbers of an image, (H, W, 3) `uint8`, and its thumbnail, (T, T) `float32`.

    ``pixels`` is their hash; ``mean_grey`` and ``contrast`` are mean and standard deviation
    of the grey values; ``brightest`` is what one pixel in a thousand reaches; ``sharpness``
    is the variance of the Laplacian at `VIEW` pixels a side over that of the grey values,
    which dimmer illumination does not change.
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
    with opened(path) as image:
        bits = 16 if is_deep(path) else 1 if image.mode == "1" else 8
        row = {"format": image.format, "mode": image.mode, "bits": bits}
    return row | {"width": width, "height": height, "checksum": has_checksums(path)}


def _masks(test: ImageSet) -> Iterator[dict[str, object]]:
    """One row a mask of the test images; that of a normal image only where it is wrong."""
    for index, (name, mask) in enumerate(zip(test.names, test.masks, strict=True)):
        if mask is None:
            continue
        row = {"image": name, "mask": mask.relative_to(test.folder).as_posix(), "reason": ""}
        try:
            row["area"] = float(test.marked(index).mean())
        except UserError as error:
            row["reason"] = str(error).replace(f"{test.folder}/", "")
        if test.labels[index] or row["reason"]:
            yield row

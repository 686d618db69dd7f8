"""A category of images: which to learn from, which to judge, labels, defect types, masks."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.files import sha256_of
from anomalylib.images import folders
from anomalylib.images.reading import read_image, size_of

MARKER = "drawn-by-anomalylib.json"
MVTEC_FOLDERS = {"mvtec", "mvtec_ad", "mvtec_anomaly_detection"}


@dataclass(frozen=True)
class ImageSet(Sequence):
    """Images of one category's folder, read when asked for: each (H, W, 3), `uint8`."""

    folder: Path
    paths: tuple[Path, ...]
    defect_types: tuple[str, ...]  # "good" for a normal image
    masks: tuple[Path | None, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        return read_image(self.paths[index])

    @property
    def names(self) -> list[str]:
        """Each image's path inside the category."""
        return [path.relative_to(self.folder).as_posix() for path in self.paths]

    @property
    def labels(self) -> np.ndarray:
        """0 for normal, 1 for anomalous, shape (N,)."""
        return np.array([int(kind != "good") for kind in self.defect_types])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the names and the bytes of the images, in order."""
        files = zip(self.names, self.paths, strict=True)
        lines = (f"{name} {sha256_of(path)}\n" for name, path in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def mask(self, index: int, size: int) -> np.ndarray | None:
        """The defect's pixels, (size, size) bool; None for an anomalous image without a mask."""
        if self.defect_types[index] == "good":
            return np.zeros((size, size), dtype=bool)
        path = self.masks[index]
        if path is None:
            return None
        (height, width), (tall, wide) = size_of(self.paths[index]), size_of(path)
        if (height, width) != (tall, wide):
            wrong = f"the mask {path} has {wide} x {tall} pixels, its image {width} x {height}"
            raise UserError(f"{wrong}: draw it on the image, or take it away")
        return resize(read_image(path), size, Image.Resampling.NEAREST)[..., 0] > 127


@dataclass(frozen=True)
class Subset(Sequence):
    """Some images of a set, in the order given."""

    whole: ImageSet
    chosen: np.ndarray  # (n,)

    @property
    def names(self) -> list[str]:
        """Each image's path inside the category."""
        names = self.whole.names
        return [names[i] for i in self.chosen]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.whole[self.chosen[index]]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole set and of which images it is."""
        content = f"{self.whole.fingerprint} {self.chosen.tolist()}"
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Category:
    """One kind of part: normal images to learn from, and images to judge."""

    name: str  # the folder's name, such as "metal_nut"
    dataset: str  # what to call the data on a page
    synthetic: bool
    train: ImageSet  # all normal
    test: ImageSet  # normal and, where there are any, anomalous

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the training images, the test images and the masks together."""
        masks = map(sha256_of, sorted(filter(None, self.test.masks)))
        content = " ".join([self.train.fingerprint, self.test.fingerprint, *masks])
        return hashlib.sha256(content.encode()).hexdigest()

    def counts(self) -> dict[str, int]:
        """How many images there are of each kind."""
        kinds = sorted(set(self.test.defect_types), key=lambda kind: (kind != "good", kind))
        test = {f"test/{kind}": self.test.defect_types.count(kind) for kind in kinds}
        return {"train/good": len(self.train)} | test


def resize(
    image: np.ndarray, size: int, method: Image.Resampling = Image.Resampling.BILINEAR
) -> np.ndarray:
    """Resize (H, W, 3) to (size, size, 3), antialiased when it shrinks."""
    return np.asarray(Image.fromarray(image).resize((size, size), method))


def load_batch(images: Sequence[np.ndarray], start: int, stop: int, size: int) -> np.ndarray:
    """Images `start` to `stop` at one size: (n, size, size, 3), `uint8`."""
    stop = min(stop, len(images))
    return np.stack([resize(images[i], size) for i in range(start, stop)])


def as_images(given: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """What a detector is given, once it is known to be images; else an error that names it."""
    if isinstance(given, ImageSet | Subset):
        return given
    do = "give a list of (height, width, 3) arrays of uint8, red first"
    is_sequence = hasattr(given, "__getitem__") and hasattr(given, "__len__")
    if isinstance(given, str | Path) or not is_sequence:
        read = "; read_image reads a file" if isinstance(given, str | Path) else ""
        raise UserError(f"{str(given)[:60]!r} is no sequence of images: {do}{read}")
    if getattr(given, "ndim", 4) == 3 and given.shape[-1] == 3:
        raise UserError(f"one image of shape {given.shape}, where several are expected: {do}")
    if not len(given):
        raise UserError(f"no images: {do}")
    for index in range(len(given)):
        image = given[index]
        kind = getattr(image, "dtype", type(image).__name__)
        shape = getattr(image, "shape", ())
        if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or not image.size:
            raise UserError(f"image {index} of {len(given)} is {kind} {shape}: {do}")
    return given


def mean_grey(images: Sequence[np.ndarray]) -> np.ndarray:
    """Mean grey value of each image, 0 to 255, shape (N,): the control beside every score."""
    return np.array([images[i].mean() for i in range(len(images))])


def dataset_name(root: Path) -> tuple[str, bool]:
    """What to call the data below `root`, and whether they are synthetic, as `MARKER` says."""
    marker = root / MARKER
    if marker.is_file():
        try:
            noted = json.loads(marker.read_text())
            return _sayable(noted["name"]), bool(noted["synthetic"])
        except (ValueError, LookupError, TypeError):
            raise UserError(f"{marker} is damaged: delete it and run again") from None
    plain = root.resolve().name
    return ("MVTec AD" if plain.lower() in MVTEC_FOLDERS else _sayable(plain)), False


def _sayable(name: str) -> str:
    """A name without signs that a page would take for code."""
    return re.sub(r"[^\w.+(), -]+", " ", name).strip() or "unnamed"


def load_category(root: str | Path, name: str) -> Category:
    """The images of one category; none is read yet.

    Parameters
    ----------
    root : str or Path
        The folder of all categories.
    name : str
        One of `list_categories`.

    Raises
    ------
    UserError
        If a folder is missing or empty, or the category is not there.
    """
    root = Path(root)
    listed = folders.find(root, name)
    train, test = (ImageSet(root / name, *zip(*images, strict=True)) for images in listed)
    return Category(name, *dataset_name(root), train, test)

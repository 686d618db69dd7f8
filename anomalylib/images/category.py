"""A category of images: which to learn from, which to test with, labels, defect types, masks."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.files import sha256_of
from anomalylib.images import folders, known
from anomalylib.images.depth import bits_of
from anomalylib.images.masks import files_of, marked
from anomalylib.images.reading import is_deep, read_image

MARKER = "drawn-by-anomalylib.json"


@dataclass(frozen=True)
class ImageSet(Sequence):
    """Images of one category's folder, read when asked for: each (H, W, 3), `uint8`."""

    folder: Path
    paths: tuple[Path, ...]
    defect_types: tuple[str, ...]  # "good" for a normal image
    masks: tuple[Path | None, ...]  # files, or folders of files that count together
    bits: int = field(default=16, kw_only=True)  # used of deeper images, 8 where there are none
    view: Path | None = field(default=None, kw_only=True)  # marks what is looked at in all

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        return read_image(self.paths[index], self.bits)

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
        """SHA-256 over the images' names and bytes, in order, and over `bits` if they matter."""
        files = zip(self.names, self.paths, strict=True)
        lines = [f"{name} {sha256_of(path)}\n" for name, path in files]
        if self.bits != 16 and any(map(is_deep, self.paths)):
            lines.append(f"{self.bits} bits\n")
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def in_view(self, size: int) -> np.ndarray | None:
        """What is looked at, (size, size) bool; None where all is."""
        if self.view is None:
            return None
        pixels = marked(self.view, self.paths[0])
        if not pixels.any():
            raise UserError(f"{self.view} marks nothing to look at: mark it white, or remove it")
        return resize(pixels.view(np.uint8), size, Image.Resampling.NEAREST).astype(bool)

    def mask(self, index: int, size: int) -> np.ndarray | None:
        """The defect's pixels, (size, size) bool; None for an anomalous image without a mask."""
        pixels = self.marked(index)
        if pixels is not None:
            return resize(pixels.view(np.uint8), size, Image.Resampling.NEAREST).astype(bool)
        good = self.defect_types[index] == "good"
        return np.zeros((size, size), dtype=bool) if good else None

    def marked(self, index: int) -> np.ndarray | None:
        """The pixels that an image's mask marks, (H, W) bool as the image is; None without one."""
        path = self.masks[index]
        if path is None:
            return None
        pixels = marked(path, self.paths[index])
        if self.defect_types[index] == "good" and pixels.any():
            wrong = f"the mask {path} marks a defect, and its image lies among the normal ones"
            raise UserError(f"{wrong}: move the image, or take the mask away")
        return pixels


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
    """One kind of part: normal images to learn from, and test images."""

    name: str  # the folder's name, such as "metal_nut"
    dataset: str  # what to call the data on a page
    synthetic: bool
    train: ImageSet  # all normal
    test: ImageSet  # normal and, where there are any, anomalous
    validation: ImageSet | None = None  # normal, to set a threshold by
    unused: tuple[str, ...] = ()  # files and folders inside it that hold no image of it

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all its images and masks together."""
        masks = [path for mask in sorted(filter(None, self.test.masks)) for path in files_of(mask)]
        parts = [self.train.fingerprint, self.test.fingerprint, *map(sha256_of, masks)]
        if self.validation:
            parts += ["validation", self.validation.fingerprint]
        if self.test.view:
            parts += ["view", sha256_of(self.test.view)]
        content = " ".join(parts)
        return hashlib.sha256(content.encode()).hexdigest()

    def counts(self) -> dict[str, int]:
        """How many images there are of each kind."""
        kinds = sorted(set(self.test.defect_types), key=lambda kind: (kind != "good", kind))
        test = {f"test/{kind}": self.test.defect_types.count(kind) for kind in kinds}
        validation = {"validation/good": len(self.validation)} if self.validation else {}
        return {"train/good": len(self.train)} | validation | test


def resize(
    image: np.ndarray, size: int, method: Image.Resampling = Image.Resampling.BILINEAR
) -> np.ndarray:
    """Resize (H, W, 3) or (H, W) to `size` a side, antialiased when it shrinks."""
    return np.asarray(Image.fromarray(image).resize((size, size), method))


def load_batch(images: Sequence[np.ndarray], start: int, stop: int, size: int) -> np.ndarray:
    """Images `start` to `stop` at one size: (n, size, size, 3), `uint8`."""
    stop = min(stop, len(images))
    return np.stack([resize(images[i], size) for i in range(start, stop)])


def mean_grey(images: Sequence[np.ndarray]) -> np.ndarray:
    """Mean grey value of each image, 0 to 255, shape (N,): the control beside every score."""
    return np.array([images[i].mean() for i in range(len(images))])


def dataset_name(root: Path) -> tuple[str, bool]:
    """What to call a folder of categories, and whether they are synthetic, as `MARKER` says.

    Whether a category of it is one of MVTec AD, only `load_category` knows.
    """
    marker = root / MARKER
    if marker.is_file():
        try:
            noted = json.loads(marker.read_text())
            return _sayable(noted["name"]), bool(noted["synthetic"])
        except (ValueError, LookupError, TypeError):
            raise UserError(f"{marker} is damaged: delete it and run again") from None
    return _sayable(root.resolve().name), False


def _sayable(name: str) -> str:
    """A name without signs that a page would take for code."""
    return re.sub(r"[^\w.+(), -]+", " ", name).strip() or "unnamed"


def load_category(root: str | Path, name: str) -> Category:
    """The images of one category; only those of more than 8 bits are read by now.

    Parameters
    ----------
    root : str or Path
        The folder of all categories.
    name : str
        One of `list_categories`.

    Raises
    ------
    UserError
        If a folder is missing or empty, the category is not there, or one of its
        images or masks would be left out or guessed at.
    """
    root = Path(root)
    called, synthetic = dataset_name(root)
    found = folders.find(root, name)
    paths, others = ([each.path for each in of] for of in (found.train, found.test))
    bits = bits_of(paths, [*others, *(each.path for each in found.validation)])
    shared = {"bits": bits, "view": found.view}
    sets = [
        ImageSet(root / name, *zip(*images, strict=True), **shared) if images else None
        for images in (found.train, found.test, found.validation)
    ]
    if not synthetic and known.is_mvtec_ad(name, sets[0].names, sets[1].defect_types):
        called = known.MVTEC_AD
    return Category(name, called, synthetic, *sets, found.unused)

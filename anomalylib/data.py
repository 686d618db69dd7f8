"""The MVTec AD layout: a category of images, labels, defect types and masks.

``<root>/<category>/train/good``, ``test/good``, ``test/<defect type>`` and,
where there are masks, ``ground_truth/<defect type>/<name>_mask.png`` (Bergmann
et al., CVPR 2019). Own parts in the same folders work as well.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from anomalylib.errors import StudyError
from anomalylib.files import sha256_of

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
MARKER = "drawn-by-anomalylib.json"
UNFIT = re.compile(r"^[.-]|[\0-*,/:-@\[-^`{-\x9f]|\s")
"""In a category's name: what commands, pages or formulas would take for something else."""
RENAME = "rename the folder with letters, digits, '_', '-', '+' and '.'"
MVTEC_FOLDERS = {"mvtec", "mvtec_ad", "mvtec_anomaly_detection"}


@dataclass(frozen=True)
class ImageSet(Sequence):
    """Images on disk, read when asked for.

    Indexing gives one image as an array of shape (H, W, 3), `uint8`.

    Parameters
    ----------
    folder : Path
        The category's folder.
    paths : tuple of Path
        The images, in the order of everything computed from them.
    defect_types : tuple of str
        One per image; ``"good"`` for a normal one.
    """

    folder: Path
    paths: tuple[Path, ...]
    defect_types: tuple[str, ...]

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
        digest = hashlib.sha256()
        for name, path in zip(self.names, self.paths, strict=True):
            digest.update(f"{name} {sha256_of(path)}\n".encode())
        return digest.hexdigest()

    def mask(self, index: int, size: int) -> np.ndarray | None:
        """The defect's pixels, (size, size) bool; all False for a normal image.

        Returns None where an anomalous image has no mask on disk.
        """
        kind = self.defect_types[index]
        if kind == "good":
            return np.zeros((size, size), dtype=bool)
        path = self.folder / "ground_truth" / kind / f"{self.paths[index].stem}_mask.png"
        if not path.is_file():
            return None
        return resize(read_image(path), size, Image.Resampling.NEAREST)[..., 0] > 127


@dataclass(frozen=True)
class Subset(Sequence):
    """Some images of a set, in the order given.

    Parameters
    ----------
    whole : ImageSet
    chosen : ndarray of int, shape (n,)
    """

    whole: ImageSet
    chosen: np.ndarray

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.whole[self.chosen[index]]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole set and of what is chosen."""
        said = f"{self.whole.fingerprint} {self.chosen.tolist()}"
        return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True)
class Category:
    """One kind of part: normal images to learn from, and images to judge.

    Parameters
    ----------
    name : str
        The folder's name, such as ``"metal_nut"``.
    dataset : str
        What to call the data on a page.
    synthetic : bool
        Whether the parts are drawn rather than photographed.
    train, test : ImageSet
        ``train/good``, and everything under ``test``.
    """

    name: str
    dataset: str
    synthetic: bool
    train: ImageSet
    test: ImageSet

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the training images, the test images and the masks together."""
        masks = sorted((self.test.folder / "ground_truth").glob("*/*"))
        parts = [self.train.fingerprint, self.test.fingerprint, *map(sha256_of, masks)]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def counts(self) -> dict[str, int]:
        """How many images there are of each kind."""
        kinds = sorted(set(self.test.defect_types), key=lambda kind: (kind != "good", kind))
        test = {f"test/{kind}": self.test.defect_types.count(kind) for kind in kinds}
        return {"train/good": len(self.train)} | test


def read_image(path: Path) -> np.ndarray:
    """Read an image as (H, W, 3) `uint8`; a grey one gets three equal channels.

    Raises
    ------
    StudyError
        If the file is no readable image.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        reason = f"cannot read {path} as an image ({error})"
        raise StudyError(f"{reason}: replace the file or take it away") from None


def resize(
    image: np.ndarray, size: int, method: Image.Resampling = Image.Resampling.BILINEAR
) -> np.ndarray:
    """Resize (H, W, 3) to (size, size, 3), antialiased when it shrinks."""
    return np.asarray(Image.fromarray(image).resize((size, size), method))


def load_batch(images: Sequence[np.ndarray], start: int, stop: int, size: int) -> np.ndarray:
    """Images `start` to `stop` at one size: (n, size, size, 3), `uint8`."""
    stop = min(stop, len(images))
    return np.stack([resize(images[i], size) for i in range(start, stop)])


def mean_grey(images: Sequence[np.ndarray]) -> np.ndarray:
    """Mean grey value of each image, 0 to 255, shape (N,).

    The control that belongs beside every score: a set whose lamp differs
    between normal and anomalous images is separated by this alone.
    """
    return np.array([images[i].mean() for i in range(len(images))])


def list_categories(root: Path) -> list[str]:
    """Names of the folders below `root` that hold a ``train/good``."""
    return sorted(path.parents[1].name for path in root.glob("*/train/good") if path.is_dir())


def dataset_name(root: Path) -> tuple[str, bool]:
    """What to call the data below `root`, and whether they are synthetic.

    The file `MARKER` marks drawings; else the folder's own name says it.
    """
    marker = root / MARKER
    if marker.is_file():
        try:
            said = json.loads(marker.read_text())
            return _sayable(said["name"]), bool(said["synthetic"])
        except (ValueError, LookupError, TypeError):
            raise StudyError(f"{marker} is damaged: delete it and run again") from None
    plain = root.resolve().name
    return ("MVTec AD" if plain.lower() in MVTEC_FOLDERS else _sayable(plain)), False


def _sayable(name: str) -> str:
    """A name without signs that a page would take for code."""
    return re.sub(r"[^\w.+(), -]+", " ", name).strip() or "unnamed"


def load_category(root: str | Path, name: str) -> Category:
    """Find the images of one category.

    Parameters
    ----------
    root : str or Path
        The folder of all categories.
    name : str
        One of `list_categories(root)`.

    Returns
    -------
    Category
        Its images are not read yet.

    Raises
    ------
    StudyError
        If a folder is missing or empty, or the category is not there.
    """
    root = Path(root)
    if not root.is_dir():
        raise StudyError(f"no data folder at {root}: give DATA_ROOT a folder of categories")
    found = list_categories(root)
    if name not in found:
        those = ", ".join(map(_shown, found)) or "none (a category has a train/good folder)"
        raise StudyError(f"no category {name!r} in {root}; found: {those}")
    if UNFIT.search(name):
        raise StudyError(f"no category can be called {name!r}: {RENAME}")
    folder = root / name
    train = _images_in(folder, ["train/good"])
    kinds = sorted(path.name for path in (folder / "test").glob("*") if path.is_dir())
    test = _images_in(folder, [f"test/{kind}" for kind in kinds])
    if set(test.labels.tolist()) != {0, 1}:
        raise StudyError(f"{folder}/test needs both a good folder and one of defects, with images")
    dataset, synthetic = dataset_name(root)
    return Category(name, dataset, synthetic, train, test)


def _shown(name: str) -> str:
    """A folder's name in a list, and what to do if no command can name it."""
    return f"{name!r} ({RENAME})" if UNFIT.search(name) else name


def _images_in(folder: Path, parts: list[str]) -> ImageSet:
    """The images of some subfolders of a category, sorted by name."""
    paths: list[Path] = []
    for part in parts:
        inside = sorted(p for p in (folder / part).iterdir() if p.suffix.lower() in SUFFIXES)
        if not inside:
            raise StudyError(f"no images in {folder / part}: put some there or remove the folder")
        paths += inside
    return ImageSet(folder, tuple(paths), tuple(path.parent.name for path in paths))

"""What is computed once and kept in files: pixels, features, and what was learned."""

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL
import platformdirs
import safetensors.torch
import torch
from filelock import FileLock
from tqdm import tqdm

from anomalylib.errors import UserError
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.files import written_whole
from anomalylib.images.category import Subset, load_batch
from anomalylib.sources import code_hash

FOLDER = platformdirs.user_cache_path("anomalylib")
"""Where features are kept unless another folder is named."""
PIXELS = 8 * 224**2
"""Of a batch. Larger ones are slower, as their maps leave the processor's caches."""


@functools.cache
def code() -> str:
    """What turns images into features, besides the extractor's settings."""
    modules = ("anomalylib.images.category", "anomalylib.features.extractor")
    return f"{torch.__version__} {PIL.__version__} {code_hash(*modules)}"


class FileArray:
    """An array on disk that is read where it is indexed, and not kept.

    A memory map would do the same, but each page once read counts as memory of
    the process, so that a large category would seem to need, and under a limit
    would need, all of it.

    Parameters
    ----------
    path : Path
        A ``.npy`` file in C order.
    chosen : ndarray of int, optional
        Its entries along the first axis that this array consists of.
    """

    def __init__(self, path: Path, chosen: np.ndarray | None = None):
        with path.open("rb") as file:
            try:
                np.lib.format.read_magic(file)
                shape, _, self.dtype = np.lib.format.read_array_header_1_0(file)
            except ValueError:
                raise UserError(f"{path} is no array: delete it and run again") from None
            self._start = file.tell()
        if self.dtype.hasobject:  # pickled, and code
            raise UserError(f"{path} holds no numbers: delete it and run again")
        self.path = path
        self._chosen = np.arange(shape[0])[slice(None) if chosen is None else chosen]
        self.shape = (len(self._chosen), *shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        """Entries along the first axis, as an ordinary array."""
        wanted = self._chosen[index]
        one = self.shape[1:]
        out = np.empty((wanted.size, *one), self.dtype)
        with self.path.open("rb", buffering=0) as file:
            for entry, number in zip(out, wanted.ravel(), strict=True):
                file.seek(self._start + int(number) * entry.nbytes)
                if file.readinto(entry) != entry.nbytes:
                    raise UserError(f"{self.path} is cut short: delete it and run again")
        return out.reshape(*wanted.shape, *one)


Stored = FileArray | np.ndarray


def features_of(
    extractor: FeatureExtractor, images: Sequence[np.ndarray], folder: Path | None = None
) -> Stored:
    """Feature maps of all images, channels last: one row of C numbers a place.

    Images that have a `fingerprint`, as an `ImageSet` does, are extracted once
    and kept on disk, also for a `Subset` of it; all others are extracted anew.

    Parameters
    ----------
    extractor : FeatureExtractor
    images : sequence of ndarray (H, W, 3), uint8
    folder : Path
        Where the files are kept.

    Returns
    -------
    FileArray or ndarray, shape (N, H, W, C), float16
    """

    def compute(batch: np.ndarray) -> np.ndarray:
        maps = extractor(batch)  # (n, C, H, W)
        return maps.permute(0, 2, 3, 1).half().contiguous().numpy()  # (n, H, W, C)

    return _kept(images, extractor.image_size, compute, extractor.key, folder, "features")


def batch_size(size: int) -> int:
    """Images of a side of `size` pixels that are extracted together."""
    return max(1, PIXELS // size**2)


def pixels_of(images: Sequence[np.ndarray], size: int, folder: Path | None = None) -> Stored:
    """All images at one size, decoded once, as `features_of` keeps features.

    Returns
    -------
    FileArray or ndarray, shape (N, size, size, 3), uint8
    """
    return _kept(images, size, lambda batch: batch, f"pixels {size}", folder, "pixels")


def pixel_hash(images: Sequence[np.ndarray]) -> str:
    """SHA-256 over the shapes and pixels of images (H, W, 3), in order."""
    digest = hashlib.sha256()
    for i in range(len(images)):
        digest.update(f"{images[i].shape} ".encode() + np.ascontiguousarray(images[i]).tobytes())
    return digest.hexdigest()


def learned(
    said: str, learn: Callable[[], dict[str, torch.Tensor]], folder: Path | None = None
) -> dict[str, torch.Tensor]:
    """What `learn` returns, from a file if the same was learned before.

    Parameters
    ----------
    said : str
        Everything that the result depends on.
    learn : callable
        Returns tensors by name.
    folder : Path
        Where the files are kept.
    """
    path = (folder or FOLDER) / f"{hashlib.sha256(said.encode()).hexdigest()[:24]}.safetensors"
    with _once(path) as missing:
        if missing:
            with written_whole(path) as beside:
                tensors = {name: tensor.contiguous() for name, tensor in learn().items()}
                # Not by save_file: killed, it leaves files of random names.
                beside.write_bytes(safetensors.torch.save(tensors))
    return safetensors.torch.load_file(path)


@contextmanager
def _once(path: Path) -> Iterator[bool]:
    """Whether a file is missing, while no other process is making it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # two notebooks may want the same
        missing = not path.is_file()
        if missing:
            for left in path.parent.glob(f".{path.stem}-*"):  # by a run that was killed
                left.unlink()
        yield missing


def _kept(
    images: Sequence[np.ndarray],
    size: int,
    compute: Callable[[np.ndarray], np.ndarray],
    what: str,
    folder: Path | None,
    label: str,
) -> Stored:
    """What `compute` makes of the images, from the file if there is one."""
    if isinstance(images, Subset):
        whole = _kept(images.whole, size, compute, what, folder, label)
        return FileArray(whole.path, images.chosen)
    fingerprint = getattr(images, "fingerprint", None)
    batches = tqdm(
        _finite(map(compute, _loaded(images, size)), images, what),
        total=-(-len(images) // batch_size(size)),
        desc=label,
        unit="batch",
        disable=fingerprint is None,  # a few, in memory already
    )
    if fingerprint is None:
        return np.concatenate(list(batches))
    key = hashlib.sha256(f"{what} {fingerprint} {code()}".encode()).hexdigest()[:24]
    path = (folder or FOLDER) / f"{key}.npy"
    with _once(path) as missing:
        if missing:
            with written_whole(path) as beside:
                _write(batches, len(images), beside)
    return FileArray(path)


def _finite(
    batches: Iterator[np.ndarray], images: Sequence[np.ndarray], what: str
) -> Iterator[np.ndarray]:
    """The batches, unless a number in them is none or too large for what keeps it."""
    done = 0
    for batch in batches:
        fine = np.isfinite(batch).reshape(len(batch), -1).all(axis=1)
        if not fine.all():
            image = name_of(images, done + int(fine.argmin()))
            raise UserError(
                f"backbone {what.split()[0]} gives features of {image} that are no finite "
                f"numbers, or beyond {np.finfo(batch.dtype).max}: give other WEIGHTS or LAYERS"
            )
        done += len(batch)
        yield batch


def name_of(images: Sequence[np.ndarray], index: int) -> str:
    """What to call one of the images in a message."""
    names = getattr(getattr(images, "whole", images), "names", None)
    if names is None:
        return f"image {index} of {len(images)}"
    return names[getattr(images, "chosen", range(len(names)))[index]]


def _write(batches: Iterator[np.ndarray], count: int, path: Path) -> None:
    """Append batch after batch to a file of `count` entries."""
    with path.open("wb") as file:
        for number, batch in enumerate(batches):
            if number == 0:
                header = np.lib.format.header_data_from_array_1_0(batch)
                header["shape"] = (count, *batch.shape[1:])
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(batch))


def _loaded(images: Sequence[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Batches of images (n, size, size, 3); the next is read while one is worked on."""
    step = batch_size(size)
    with ThreadPoolExecutor(1) as reader:
        starts = range(0, len(images), step)
        coming = reader.submit(load_batch, images, 0, step, size)
        for start in starts:
            batch = coming.result()
            if start + step < len(images):
                begin = start + step
                coming = reader.submit(load_batch, images, begin, begin + step, size)
            yield batch

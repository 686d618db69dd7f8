"""What is computed once and kept in files: pixels, features, and what was learned."""

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL
import platformdirs
import safetensors.torch
import torch
from filelock import FileLock
from tqdm import tqdm

from anomalylib.devices import computing, to_numpy
from anomalylib.errors import UserError
from anomalylib.features.batches import batch_size, check_finite, loaded
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.resident import resident_features
from anomalylib.files import written_whole
from anomalylib.images.category import Subset
from anomalylib.sources import code_hash

FOLDER = platformdirs.user_cache_path("anomalylib")  # unless another is named


class OnDisk:
    """An array in a ``.npy`` file, or its `chosen` entries, mapped anew where it is indexed.

    A map that stays open counts each page once read as memory of the process,
    so that under a limit a large category would need all of it.
    """

    def __init__(self, path: Path, chosen: np.ndarray | None = None):
        self.path = path
        whole = self._mapped()
        self.dtype = whole.dtype
        self._chosen = np.arange(len(whole)) if chosen is None else np.asarray(chosen)
        self.shape = (len(self._chosen), *whole.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        """Entries along the first axis, as an ordinary array."""
        return np.array(self._mapped()[self._chosen[index]])

    def _mapped(self) -> np.ndarray:
        try:
            return np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError):
            refusal = f"{self.path} is no array, or cut short: delete it and run again"
            raise UserError(refusal) from None


Stored = OnDisk | np.ndarray | torch.Tensor


@functools.cache
def code() -> str:
    """What turns images into features, besides the extractor's settings."""
    rooms = ("images.category", "features.batches", "features.extractor")
    modules = [f"anomalylib.{each}" for each in rooms]
    return f"{torch.__version__} {PIL.__version__} {code_hash(*modules)}"


def features_of(
    extractor: FeatureExtractor, images: Sequence[np.ndarray], folder: Path | None = None
) -> Stored:
    """Feature maps of all images, channels last: (N, H, W, C), float16.

    Images that have a `fingerprint`, as an `ImageSet` does, are extracted once
    and kept on disk, also for a `Subset` of it; all others are extracted anew.
    On an accelerator they stay there in place of the disk, where there is room.
    """

    def compute(batch: np.ndarray | torch.Tensor) -> torch.Tensor:
        maps = extractor(batch)  # (n, C, H, W)
        return maps.permute(0, 2, 3, 1).half().contiguous()  # (n, H, W, C)

    with computing(extractor.device, "image_size"):
        if extractor.device.type != "cpu":
            resident = resident_features(extractor, images, compute)
            if resident is not None:
                return resident
        size, key = extractor.image_size, extractor.key
        return _kept(images, size, lambda batch: to_numpy(compute(batch)), key, folder)


def pixels_of(images: Sequence[np.ndarray], size: int, folder: Path | None = None) -> Stored:
    """All images at one size, as `features_of` keeps features: (N, size, size, 3), uint8."""
    return _kept(images, size, lambda batch: batch, f"pixels {size}", folder)


def pixel_hash(images: Sequence[np.ndarray]) -> str:
    """SHA-256 over the shapes and pixels of images (H, W, 3), in order."""
    digest = hashlib.sha256()
    for i in range(len(images)):
        digest.update(f"{images[i].shape} ".encode() + images[i].tobytes())
    return digest.hexdigest()


def learned(
    key: str, learn: Callable[[], dict[str, torch.Tensor]], folder: Path | None = None
) -> dict[str, torch.Tensor]:
    """What `learn` returns, from a file if the same was learned before by this key."""
    with _once(key, ".safetensors", folder) as (path, missing):
        if missing:
            tensors = {name: tensor.contiguous() for name, tensor in learn().items()}
            with written_whole(path) as beside:
                # Not by save_file: killed, it leaves files of random names.
                beside.write_bytes(safetensors.torch.save(tensors))
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError:
        raise UserError(f"{path} is damaged: delete it and run again") from None


@contextmanager
def _once(key: str, suffix: str, folder: Path | None) -> Iterator[tuple[Path, bool]]:
    """The file of a key, and whether it is missing, while no other process is making it."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    path = Path(folder or FOLDER) / f"{digest}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # two notebooks may want the same
        yield path, not path.is_file()


def _kept(
    images: Sequence[np.ndarray],
    size: int,
    compute: Callable[[np.ndarray], np.ndarray],
    key: str,
    folder: Path | None,
) -> Stored:
    """What `compute` makes of the images, from the file if there is one."""
    if isinstance(images, Subset):
        return OnDisk(_kept(images.whole, size, compute, key, folder).path, images.chosen)
    fingerprint = getattr(images, "fingerprint", None)
    batches = tqdm(
        _finite(map(compute, loaded(images, size)), images, key),
        total=-(-len(images) // batch_size(size)),
        desc="pixels" if key.startswith("pixels") else "features",
        unit="batch",
        disable=fingerprint is None,  # a few, in memory already
    )
    if fingerprint is None:
        return np.concatenate(list(batches))
    with _once(f"{key} {fingerprint} {code()}", ".npy", folder) as (path, missing):
        if missing:
            with written_whole(path) as beside:
                _write(batches, len(images), beside)
    return OnDisk(path)


def _finite(
    batches: Iterator[np.ndarray], images: Sequence[np.ndarray], key: str
) -> Iterator[np.ndarray]:
    """The batches, unless a number in them is none or too large for what keeps it."""
    done = 0
    for batch in batches:
        check_finite(np.isfinite(batch).reshape(len(batch), -1).all(axis=1), images, key, done)
        done += len(batch)
        yield batch


def _write(batches: Iterator[np.ndarray], count: int, path: Path) -> None:
    """Write batch after batch to a file of `count` entries; nothing of it stays in memory."""
    with path.open("wb") as file:
        for number, batch in enumerate(batches):
            if number == 0:
                header = np.lib.format.header_data_from_array_1_0(batch)
                header["shape"] = (count, *batch.shape[1:])
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(batch))

"""Features computed once, memory-mapped, keyed by what they depend on."""

import hashlib
import inspect
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL
import torch
from filelock import FileLock
from tqdm import tqdm

from anomalylib.data import Subset, load_batch
from anomalylib.extractor import FeatureExtractor
from anomalylib.files import ROOT, sha256_of, written_whole

FOLDER = ROOT / "data" / "features"
BATCH = 16
SOURCES = [Path(inspect.getfile(part)) for part in (load_batch, FeatureExtractor)]
CODE = " ".join([torch.__version__, PIL.__version__, *map(sha256_of, SOURCES)])
"""What turns images into features, besides the extractor's settings."""


def features_of(
    extractor: FeatureExtractor, images: Sequence[np.ndarray], folder: Path = FOLDER
) -> np.ndarray:
    """Feature maps of all images.

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
    ndarray, shape (N, C, H, W), float16
        Memory-mapped where it comes from disk.
    """
    if isinstance(images, Subset):
        return features_of(extractor, images.whole, folder)[images.chosen]
    fingerprint = getattr(images, "fingerprint", None)
    if fingerprint is None:
        return np.concatenate(list(_batches(extractor, images)))
    key = hashlib.sha256(f"{extractor.key} {fingerprint} {CODE}".encode()).hexdigest()[:24]
    path = folder / f"{key}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # two notebooks may want the same features
        if not path.is_file():
            for left in folder.glob(f".{key}-*"):  # by a run that was killed
                left.unlink()
            with written_whole(path) as beside:
                _write(extractor, images, beside)
    return np.load(path, mmap_mode="r")


def _write(extractor: FeatureExtractor, images: Sequence[np.ndarray], path: Path) -> None:
    """Extract batch by batch into a file of the final size."""
    mapped, start = None, 0
    for maps in _batches(extractor, images):
        if mapped is None:
            shape = (len(images), *maps.shape[1:])
            mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        mapped[start : start + len(maps)] = maps
        start += len(maps)
    mapped.flush()


def _batches(extractor: FeatureExtractor, images: Sequence[np.ndarray]):
    """Features of a few images at a time: (n, C, H, W), float16."""
    for start in tqdm(range(0, len(images), BATCH), desc="features", unit="batch"):
        batch = load_batch(images, start, start + BATCH, extractor.image_size)
        yield extractor(batch).half().numpy()  # (n, C, H, W)

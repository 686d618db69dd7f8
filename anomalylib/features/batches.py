"""Images a few at a time: decoded ahead, brought to one size, checked when they are features."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch

from anomalylib.devices import CPU
from anomalylib.errors import UserError
from anomalylib.images.category import load_batch

PIXELS = 8 * 224**2  # of a batch: the maps of larger ones leave the processor's caches


def batch_size(size: int) -> int:
    """Images of a side of `size` pixels that are extracted together."""
    return max(1, PIXELS // size**2)


def loaded(
    images: Sequence[np.ndarray], size: int, device: torch.device = CPU
) -> Iterator[np.ndarray | torch.Tensor]:
    """Batches of images (n, size, size, 3); the next are read while one is worked on.

    For an accelerator, which is quicker than one reader, by all cores and into pinned memory.
    """
    step = batch_size(size)

    def read(start: int) -> np.ndarray | torch.Tensor:
        batch = load_batch(images, start, start + step, size)
        return torch.from_numpy(batch).pin_memory() if device.type == "cuda" else batch

    if len(images) <= step:  # nothing to read ahead: the one image of a camera needs no thread
        yield read(0)
        return
    starts = iter(range(0, len(images), step))
    ahead = 1 if device.type == "cpu" else os.cpu_count() or 1
    with ThreadPoolExecutor(ahead) as readers:
        coming = deque(readers.submit(read, start) for start in islice(starts, ahead))
        while coming:
            batch = coming.popleft().result()
            coming.extend(readers.submit(read, start) for start in islice(starts, 1))
            yield batch


def check_finite(
    finite: np.ndarray, images: Sequence[np.ndarray], key: str, first: int = 0
) -> None:
    """An error unless all features are `finite`, (n,), from the image of number `first` on."""
    if not finite.all():
        image = name_of(images, first + int(finite.argmin()))
        raise UserError(
            f"backbone {key.split()[0]} gives features of {image} that are no finite "
            f"numbers, or beyond {np.finfo(np.float16).max}: give other WEIGHTS or LAYERS"
        )


def name_of(images: Sequence[np.ndarray], index: int) -> str:
    """What to call one of the images in a message."""
    names = getattr(images, "names", None)
    return names[index] if names else f"image {index} of {len(images)}"

"""The door for images that a program holds: arrays, tensors, PIL images and paths."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from anomalylib.errors import UserError
from anomalylib.images.category import ImageSet, Subset
from anomalylib.images.depth import bits_for, bits_of
from anomalylib.images.reading import as_rgb, read_image

CHANNELS = (1, 3, 4)  # grey; red, green, blue; and how opaque
DO = "give (height, width, 3) arrays of uint8, red first (OpenCV has blue first)"


@dataclass(frozen=True)
class Frames(Sequence):
    """Images in memory or in files, each (H, W, 3), `uint8`, made when it is asked for."""

    given: Sequence[Any]
    bits: int

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, index: int) -> np.ndarray:
        return _pixels(self.given[index], self.bits, f"image {index} of {len(self)}")

    @property
    def names(self) -> list[str] | None:
        """The files' names, where all are files."""
        all_files = all(isinstance(each, str | Path) for each in self.given)
        return [Path(each).name for each in self.given] if all_files else None


def as_images(given: Any, bits: int | None = None) -> ImageSet | Subset | Frames:
    """Images as detectors take them: each (H, W, 3), `uint8`, red first.

    Parameters
    ----------
    given : ImageSet, Subset, path, PIL image, array or tensor, or a sequence of these
        An array is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with its channels in the order
        red, green, blue, opacity; or several in one, (N, H, W, C) or (N, C, H, W). A tensor
        may be (C, H, W). Pixels are `uint8`, or other integers, of which the upper 8 of `bits`
        are kept, or exact multiples of 1/255 in 0 to 1.
    bits : int, optional
        Of integer pixels of more than 8; by default as many as the largest value needs.

    Raises
    ------
    UserError
        If it is nothing of these, with its type and shape. The order of colours cannot be
        seen: an image with blue first passes.
    """
    if isinstance(given, Subset):
        return dataclasses.replace(given, whole=as_images(given.whole, bits))
    if isinstance(given, ImageSet):
        return given if bits in (None, given.bits) else dataclasses.replace(given, bits=bits)
    if isinstance(given, Frames):
        return given if bits in (None, given.bits) else Frames(given.given, bits)
    several = _several(given)
    if not len(several):
        raise UserError(f"no images: {DO}")
    frames = Frames(several, bits or 8)
    if bits is None:
        deepest = max(_depth(each) for each in (several[i] for i in range(len(several))))
        frames = Frames(several, deepest)
    for index in range(len(several)):
        if not isinstance(several[index], str | Path):  # a file is read when it is needed
            frames[index]
    return frames


def _several(given: Any) -> Sequence[Any]:
    """What was given as a sequence, of one where it is one image."""
    if isinstance(given, str | Path | Image.Image):
        return [given]
    shape = getattr(given, "shape", None)
    if shape is not None:
        if len(shape) == 4:
            array = _as_array(given)
            first = shape[1] in CHANNELS and shape[3] not in CHANNELS
            return np.moveaxis(array, 1, -1) if first else array  # (N, H, W, C)
        return given if len(shape) == 1 else [given]
    if isinstance(given, dict | set) or not (
        hasattr(given, "__getitem__") and hasattr(given, "__len__")
    ):
        raise UserError(f"{type(given).__name__} {str(given)[:40]!r} is no image: {DO}")
    return given


def _as_array(given: Any) -> np.ndarray:
    """An array, or a tensor of any device as one."""
    return np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)


def _depth(one: Any) -> int:
    """Bits that the largest value of an integer image needs, from 8 to 16."""
    if isinstance(one, str | Path):
        return bits_of([Path(one)])
    values = np.asarray(one) if isinstance(one, Image.Image) else _as_array(one)
    deep = values.dtype.kind in "iu" and values.itemsize > 1 and values.size
    return bits_for(int(values.max())) if deep else 8


def _pixels(one: Any, bits: int, where: str) -> np.ndarray:
    """One image as (H, W, 3), `uint8`."""
    if isinstance(one, str | Path):
        return read_image(Path(one), bits)
    if isinstance(one, Image.Image):
        upright = ImageOps.exif_transpose(one)
        deep = upright.mode.startswith("I")
        return _pixels(np.asarray(upright), bits, where) if deep else as_rgb(upright)
    array = _as_array(one)
    is_tensor = hasattr(one, "detach")
    if array.ndim == 3 and is_tensor and array.shape[0] in CHANNELS:
        array = array if array.shape[2] in CHANNELS else np.moveaxis(array, 0, -1)
    array = array[..., None] if array.ndim == 2 else array  # (H, W, C)
    wrong = f"{where} is {array.dtype} {np.shape(one)}"
    if array.ndim != 3 or array.shape[2] not in CHANNELS or not array.size:
        raise UserError(f"{wrong}: {DO}")
    if array.dtype != np.uint8:
        array = _in_bytes(array, bits, wrong)
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    if array.shape[2] == 4:
        return as_rgb(Image.fromarray(np.ascontiguousarray(array)))
    return np.ascontiguousarray(array)


def _in_bytes(array: np.ndarray, bits: int, wrong: str) -> np.ndarray:
    """Other numbers as `uint8`, where it is certain what they mean."""
    if array.dtype.kind in "iu":
        low, high, most = array.min(), array.max(), 2**bits - 1
        if low < 0 or high > most:
            raise UserError(f"{wrong}, {low} to {high}, beyond the range of 0 to {most}: {DO}")
        return (array >> (bits - 8)).astype(np.uint8)
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise UserError(f"{wrong}, no whole numbers: {DO}")
    low, high, levels = array.min(), array.max(), array * 255.0
    whole = np.abs(levels - levels.round()).max() < 1e-2
    if low < 0 or high > 1 or not whole or not ((array > 0) & (array < 1)).any():
        raise UserError(f"{wrong}, {low:.3g} to {high:.3g}, of no certain range: {DO}")
    return levels.round().astype(np.uint8)

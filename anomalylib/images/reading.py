"""One image from a file that may be of any common format, or damaged."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

from anomalylib.errors import UserError, first_line

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm", ".ppm"}
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")  # of Pillow's decoders
MOST = 80_000_000  # pixels of the largest image that is read: 240 MB decoded
LEAST = 8  # pixels of the shortest side
PNG = b"\x89PNG\r\n\x1a\n"


def read_image(path: Path) -> np.ndarray:
    """Read an image.

    It is turned as its EXIF orientation says. A grey one gets three equal
    channels; of 16 bits the upper 8 are kept; what is transparent becomes
    black; palettes, CMYK and the like are converted.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ndarray, shape (H, W, 3), uint8

    Raises
    ------
    UserError
        If the file is no whole image of a known format, is damaged as far as
        the format can tell, holds several, or is too large or too small.
    """
    try:
        _check_sums(path)
        with _opened(path) as image:
            image.load()
            return _as_rgb(ImageOps.exif_transpose(image))
    except UserError as error:
        why = str(error)
    except Exception as error:  # the decoders raise whatever the file provokes
        empty = path.is_file() and not path.stat().st_size
        why = "the file is empty" if empty else first_line(error)
    raise UserError(f"cannot read {path} as an image ({why}): replace the file or take it away")


def has_checksums(path: Path) -> bool:
    """Whether `read_image` is sure to notice damage: only a PNG keeps checksums of its pixels."""
    with path.open("rb") as file:
        return file.read(len(PNG)) == PNG


def size_of(path: Path) -> tuple[int, int]:
    """Height and width as `read_image` returns them, from the file's head alone."""
    try:
        with _opened(path) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) >= 5  # lies on its side
    except Exception as error:
        why = first_line(error)
        raise UserError(f"cannot read {path} as an image ({why}): replace the file") from None
    return (width, height) if turned else (height, width)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image file whose head is read; Pillow's warning of size is `_check_shape`'s refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(path, formats=FORMATS)
    with image:
        yield image


def _check_sums(path: Path) -> None:
    """Compare what a PNG holds with its checksums, and a JPEG with its own grammar.

    Pillow reads on over a wrong checksum of pixels, and fills what a damaged
    JPEG lacks with grey.
    """
    with _opened(path) as image:
        _check_shape(image)
        strict = image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB")
        if image.format == "PNG":
            image.verify()
    if strict:
        simplejpeg.decode_jpeg(path.read_bytes(), colorspace="RGB", strict=True)


def _check_shape(image: Image.Image) -> None:
    """Refuse what is too large to decode, too small to show a part, or several images."""
    width, height = image.size
    if width * height > MOST:
        raise UserError(f"{width} x {height} pixels, more than {MOST:,}")
    if min(width, height) < LEAST:
        raise UserError(f"{width} x {height} pixels, {LEAST} a side are needed")
    if getattr(image, "is_animated", False) and image.format != "MPO":  # cameras add a preview
        raise UserError("it holds several images")


def _as_rgb(image: Image.Image) -> np.ndarray:
    """Pixels as (H, W, 3) `uint8`, whatever the mode."""
    if image.mode == "F":
        raise UserError("its pixels are floating-point numbers, of no known range")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise UserError("its pixels have more than 16 bits")
        grey = (values >> 8).astype(np.uint8)  # (H, W)
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", whole.size, "black"), whole)
    return np.asarray(image.convert("RGB"))

"""One image from a file that may be of any common format, or damaged."""

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

from anomalylib.errors import UserError, first_line

FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "PPM")  # of Pillow's decoders
TARGA = {".tga", ".icb", ".vda", ".vst"}  # no mark in the file says so: by name alone
_TAKEN = ".png .apng .jpg .jpeg .jpe .jfif .mpo .bmp .dib .tif .tiff .webp .gif .pbm .pgm .ppm .pnm"
SUFFIXES = TARGA | set(f"{_TAKEN} .pfm".split())
"""Of the files that are read, in lower case: all that Pillow gives these formats."""
_OTHERS = (
    ".heic .heif .hif .avif .avifs .jp2 .j2k .j2c .jpc .jpx .jpf .jxl .jxr .wdp .hdp .raw .dng"
    " .cr2 .cr3 .crw .nef .nrw .arw .sr2 .srf .orf .rw2 .raf .pef .srw .x3f .3fr .iiq .kdc .dcr"
    " .mrw .erf .mef .mos .rwl .svg .svgz .eps .ai .psd .psb .xcf .kra .exr .hdr .ico .icns .cur"
    " .pcx .dcx .dds .ras .sgi .rgb .rgba .bw .xbm .xpm .wmf .emf .fit .fits .fts .dcm .dicom"
    " .nii .nrrd .mha .czi .lif .nd2 .svs .ndpi .qoi .pam .msp .pcd"
)
UNREAD = set(_OTHERS.split())
"""Of images in formats that are not read."""
MOST = 80_000_000  # pixels of the largest image that is read: 240 MB decoded
LEAST = 8  # pixels of the shortest side
PNG = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112  # of EXIF's tags
DEEP = re.compile(r"^I|;16[BLN]$")  # what Pillow calls channels of more than 8 bits


def read_image(path: Path, bits: int = 16) -> np.ndarray:
    """Read an image.

    It is turned as its EXIF orientation says. A grey one gets three equal
    channels; what is transparent becomes black; palettes, CMYK and the like
    are converted. Of channels with more than 8 bits in the file, `bits` are
    taken to be used, and the upper 8 of these are kept.

    Parameters
    ----------
    path : Path
    bits : int
        8 to 16; of a category, what `anomalylib.images.depth` finds.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8

    Raises
    ------
    UserError
        If the file is no whole image of a known format, is damaged as far as
        the format can tell, holds several, is too large or too small, or has
        a value beyond `bits`.
    """
    with _in_one_line(path):
        _check_sums(path)
        image, coding = _decoded(path)
        if image.mode.startswith("I") or (bits != 16 and DEEP.search(coding)):
            image = _eight_bits(image, _values(path, image, coding), bits)
        return as_rgb(image)


def read_values(path: Path) -> np.ndarray:
    """The values of an image at the depth of its file, upright: (H, W, C), unsigned integers."""
    with _in_one_line(path):
        _check_sums(path)
        image, coding = _decoded(path)
        if not DEEP.search(coding):
            return as_rgb(image)
        values = _values(path, image, coding)
        return values[..., :3] * (values[..., 3:] > 0) if image.mode == "RGBA" else values


def is_deep(path: Path) -> bool:
    """Whether a file has more than 8 bits a channel, from its head; not where it is damaged."""
    try:
        with opened(path) as image:
            return bool(DEEP.search(_coding(image)))
    except Exception:
        return False


def has_checksums(path: Path) -> bool:
    """Whether `read_image` is sure to notice damage: only a PNG keeps checksums of its pixels."""
    with path.open("rb") as file:
        return file.read(len(PNG)) == PNG


def size_of(path: Path) -> tuple[int, int]:
    """Height and width as `read_image` returns them, from the file's head alone."""
    with _in_one_line(path), opened(path) as image:
        width, height = image.size
        # Pillow has turned the size of a TIFF itself.
        lying = image.format != "TIFF" and image.getexif().get(ORIENTATION, 1) in range(5, 9)
    return (width, height) if lying else (height, width)


def orientation_of(path: Path) -> int:
    """The EXIF orientation, 1 where there is none: 1 to 8."""
    with _in_one_line(path), opened(path) as image:
        noted = image.getexif().get(ORIENTATION, 1)
    return noted if noted in range(1, 9) else 1


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    """Turn whatever a file provokes into a `UserError` that names it."""
    try:
        if not path.is_file():
            raise UserError("a link to nothing" if path.is_symlink() else "no such file")
        yield
        return
    except UserError as error:
        why = str(error)
    except Exception as error:  # the decoders raise whatever the file provokes
        empty = path.is_file() and not path.stat().st_size
        why = "the file is empty" if empty else first_line(error)
    raise UserError(f"cannot read {path} as an image ({why}): replace the file or take it away")


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An image file whose head is read; Pillow's warning of size is `_check_shape`'s refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        targa = ("TGA",) if path.suffix.lower() in TARGA else ()
        image = Image.open(path, formats=FORMATS + targa)
    with image:
        yield image


def _check_sums(path: Path) -> None:
    """Compare what a PNG holds with its checksums, and a JPEG with its own grammar.

    Pillow reads on over a wrong checksum of pixels, and fills what a damaged
    JPEG lacks with grey.
    """
    with opened(path) as image:
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


def _coding(image: Image.Image) -> str:
    """How Pillow calls the pixels in a file whose head is read, such as ``RGB;16B``."""
    given = image.tile[0].args if image.tile else ""
    coding = given if isinstance(given, str) else str((given or [""])[0])
    return image.mode if image.mode.startswith("I") else coding


def _decoded(path: Path, coding: str = "") -> tuple[Image.Image, str]:
    """An image, upright, and the coding of its pixels; or decoded as if it were in another."""
    with opened(path) as image:
        found = _coding(image)
        for number, tile in enumerate(image.tile if coding else ()):
            others = () if isinstance(tile.args, str) else tile.args[1:]
            image.tile[number] = tile._replace(args=(coding, *others))
        image.load()
        return ImageOps.exif_transpose(image), found


def _values(path: Path, image: Image.Image, coding: str) -> np.ndarray:
    """Values of a decoded image of more than 8 bits, (H, W, C), `uint16`.

    Pillow keeps the upper byte of a channel of colour. The lower one is what it
    keeps of the same file in the other order of bytes.
    """
    values = np.asarray(image)
    if image.mode.startswith("I"):
        if values.min() < 0 or values.max() > 0xFFFF:
            raise UserError("its pixels have more than 16 bits")
        return values.astype(np.uint16)[..., None]
    if coding.startswith("RGBa"):
        raise UserError("its 16-bit colours are multiplied by a transparency: save it without")
    if coding == "LA;16B":
        low = np.asarray(_decoded(path, "RGBA")[0])[..., [1, 1, 1, 3]]
    else:
        order = "L" if coding[-1] == "N" and sys.byteorder == "little" else coding[-1]
        low = np.asarray(_decoded(path, coding[:-1] + ("B" if order == "L" else "L"))[0])
    return values.astype(np.uint16) << 8 | low


def _eight_bits(image: Image.Image, values: np.ndarray, bits: int) -> Image.Image:
    """The upper 8 of the bits that the values (H, W, C) use; transparency has always 16."""
    colours = values[..., :3] if image.mode == "RGBA" else values
    if (largest := colours.max()) >> bits:
        beyond = f"its largest value is {largest}, beyond 0 to {2**bits - 1}"
        raise UserError(f"{beyond}, the range of the images to learn from")
    upper = (colours >> (bits - 8)).astype(np.uint8)
    if image.mode == "RGBA":
        upper = np.concatenate([upper, np.asarray(image)[..., 3:]], axis=-1)
    mode = "L" if image.mode.startswith("I") else image.mode
    return Image.frombytes(mode, image.size, upper.tobytes())


def as_rgb(image: Image.Image) -> np.ndarray:
    """Pixels as (H, W, 3) `uint8`, whatever the mode of 8 bits."""
    if image.mode == "F":
        raise UserError("its pixels are floating-point numbers, of no known range")
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", whole.size, "black"), whole)
    return np.asarray(image.convert("RGB"))

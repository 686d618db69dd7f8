"""Images that are damaged, strange or too large, and masks that do not fit."""

import json
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.images.category import load_category
from anomalylib.images.reading import read_image
from study.checkout import ROOT
from tests.faults.common import Setup, Tried
from tests.faults.fuzz import FORMATS

COPIES = 1000
"""Damaged copies of each format."""
SLOW = 5.0
"""Seconds in which a copy must be read or refused."""
HANGS = 300
"""Seconds after which all copies of a format must be done."""


def damaged_png(setup: Setup) -> Tried:
    """Damaged PNG images: cut, bits flipped, bytes changed, zeroed, lost, repeated"""
    return _fuzzed(setup, [name for name in FORMATS if name.startswith("png")])


def damaged_jpeg(setup: Setup) -> Tried:
    """Damaged JPEG images, likewise"""
    return _fuzzed(setup, [name for name in FORMATS if name.startswith("jpeg")])


def damaged_others(setup: Setup) -> Tried:
    """Damaged BMP, TIFF, WebP, GIF and PPM images, likewise"""
    return _fuzzed(setup, [name for name in FORMATS if not name.startswith(("png", "jpeg"))])


def unusual_images(setup: Setup) -> Tried:
    """Grey, 16-bit, palette, CMYK, transparent, one-bit and turned images"""
    folder = setup.folder("unusual")
    colour = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    grey, exif = colour[..., 0], Image.Exif()
    exif[0x0112] = 6
    wanted = {"turned.png": np.rot90(colour, -1), "grey.png": grey, "deep.png": grey}
    wanted |= {"deep.tif": grey, "bit.png": np.where(grey > 127, 255, 0), "clear.png": colour * 0}
    deep = Image.fromarray(grey.astype(np.uint16) << 8)
    made = {"grey.png": Image.fromarray(grey), "deep.png": deep, "deep.tif": deep}
    made |= {"bit.png": Image.fromarray(grey > 127), "clear.png": Image.new("RGBA", (30, 20))}
    made |= {"turned.png": Image.fromarray(colour), "ink.jpg": Image.new("CMYK", (30, 20))}
    made["palette.gif"] = Image.fromarray(colour).quantize(16)
    wanted["palette.gif"] = np.asarray(made["palette.gif"].convert("RGB"))
    wanted["ink.jpg"] = np.full((20, 30), 255)  # no ink is white
    wrong = 0
    for name, image in made.items():
        image.save(folder / name, **({"exif": exif} if name == "turned.png" else {}))
        right = wanted[name] if wanted[name].ndim == 3 else wanted[name][..., None]
        wrong += not (read_image(folder / name) == right).all()
    return Tried(len(made), "read as they look", wrong)


def images_to_refuse(setup: Setup) -> Tried:
    """Empty, foreign, animated, tiny, gigantic and floating-point images"""
    folder = setup.folder("refused")
    noise = [Image.effect_noise((30, 20), 90) for _ in range(3)]
    for suffix in ("gif", "webp", "tif", "png"):
        noise[0].save(folder / f"moving.{suffix}", save_all=True, append_images=noise[1:])
    Image.new("RGB", (1, 1)).save(folder / "tiny.png")
    Image.fromarray(np.zeros((20, 30), np.float32)).save(folder / "float.tif")
    Image.fromarray(np.full((20, 30), 2**20, np.int32)).save(folder / "long.tif")
    for side in (9_000, 20_000, 2**31 - 1):
        (folder / f"bomb{side}.png").write_bytes(_png_head(side))
    Image.new("1", (20_000, 20_000)).save(folder / "bomb.tif", compression="group4")
    strange = {"empty.png": b"", "text.jpg": b"no image", "script.png": b"%!PS-Adobe-3.0 EPSF"}
    strange |= {"page.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "pdf.jpg": b"%PDF-1.7"}
    for name, content in strange.items():
        (folder / name).write_bytes(content)
    paths = sorted(folder.iterdir())
    passed = sum(not _refused(path, lambda path=path: read_image(path)) for path in paths)
    return Tried(len(paths), "refused by name, in one line each", passed)


def masks_that_do_not_fit(setup: Setup) -> Tried:
    """Masks of another size than their image, or no images at all"""
    folder = setup.folder("masks")
    for i in range(6):
        path = folder / "part" / "normal" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((30, 20), 90).save(path)
    masks = folder / "part" / "masks"
    masks.mkdir()
    (folder / "part" / "abnormal").mkdir()
    sizes = [(20, 30), (60, 40), (1, 1), (30, 21)]
    for i, size in enumerate(sizes):
        Image.effect_noise((30, 20), 90).save(folder / "part" / "abnormal" / f"{i}.png")
        Image.new("L", size, 255).save(masks / f"{i}.png")
    Image.effect_noise((30, 20), 90).save(folder / "part" / "abnormal" / "9.png")
    (masks / "9.png").write_bytes(b"no image")
    test = load_category(folder, "part").test
    wrong = [i for i in range(len(test)) if test.defect_types[i] != "good"]
    passed = sum(not _refused(test.masks[i], lambda i=i: test.mask(i, 16)) for i in wrong)
    return Tried(len(wrong), "refused by name, in one line each", passed)


FAULTS = (damaged_png, damaged_jpeg, damaged_others)
FAULTS += (unusual_images, images_to_refuse, masks_that_do_not_fit)


def _fuzzed(setup: Setup, formats: list[str]) -> Tried:
    """Read damaged copies in processes of their own; what hangs, crashes or passes is lost."""
    copies = COPIES // 10 if setup.quick else COPIES
    found: Counter = Counter()
    lost, slowest = 0, 0.0
    for name in formats:
        command = [sys.executable, "-m", "tests.faults.fuzz", name, str(copies), str(setup.seed)]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=HANGS, check=True)
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
            lost += copies
            continue
        own = json.loads(done.stdout)
        slowest = max(slowest, own.pop("slowest"))
        found.update(own)
    other = {kind: found[f"other, {kind}"] for kind in ("seen", "faint")}
    known = found["refused"] + found["same"] + other["seen"] + other["faint"]
    said = f"{found['refused']:,} refused, {found['same']:,} with the same pixels"
    if total := sum(other.values()):
        said += f", {total:,} another image, {other['seen']:,} of them to the eye: "
        said += "the format has no checksums, and what is read is marked as unchecked"
    lost += found.total() - known + (slowest > SLOW)
    return Tried(copies * len(formats), said, lost)


def _png_head(side: int) -> bytes:
    """The head of a grey PNG image of so many pixels a side, and not more of it."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + head
        + struct.pack(">I", zlib.crc32(head))
        + end
    )


def _refused(path: Path, read: Callable[[], object]) -> bool:
    """Whether reading ends with one line that names the file."""
    try:
        read()
    except UserError as error:
        return str(path) in str(error) and "\n" not in str(error)
    return False

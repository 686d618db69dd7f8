"""Read many damaged copies of one image: `python -m tests.faults.fuzz FORMAT COUNT SEED`.

In a process of its own, which may crash or hang without harm. What came of the
copies is printed as JSON.
"""

import io
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.images.reading import has_checksums, read_image

SIDE = 64
VISIBLE = 16
"""Grey levels by which a pixel must differ to be seen."""
FORMATS = {
    "png": {"format": "PNG"},
    "png-palette": {"format": "PNG"},
    "png-16": {"format": "PNG"},
    "jpeg": {"format": "JPEG", "quality": 90},
    "jpeg-progressive": {"format": "JPEG", "quality": 90, "progressive": True},
    "bmp": {"format": "BMP"},
    "tiff": {"format": "TIFF"},
    "tiff-deflate": {"format": "TIFF", "compression": "tiff_deflate"},
    "webp": {"format": "WEBP", "quality": 90},
    "webp-lossless": {"format": "WEBP", "lossless": True},
    "gif": {"format": "GIF"},
    "ppm": {"format": "PPM"},
}


def encoded(name: str) -> bytes:
    """An image of slopes, waves and noise in one of the formats."""
    noise = np.random.default_rng(0).normal(0, 8, (SIDE, SIDE, 3))
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = 120 + 60 * np.sin(x / 7)
    pixels = np.clip(np.stack([3 * x, 3 * y, waves], axis=-1) + noise, 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    if name == "png-palette":
        image = image.quantize(32)
    if name == "png-16":
        image = Image.fromarray((pixels[..., 0].astype(np.uint16) << 8) | 7)
    held = io.BytesIO()
    image.save(held, **FORMATS[name])
    return held.getvalue()


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut short, a bit flipped, bytes changed, zeroed, lost, or repeated."""
    data, size = bytearray(content), len(content)
    start = chance.randrange(size)
    stop = min(size, start + chance.randrange(1, 600))
    kind = chance.randrange(6)
    if kind == 0:
        return bytes(data[:start])
    if kind == 1:
        data[start] ^= 1 << chance.randrange(8)
    elif kind == 2:
        for _ in range(chance.randrange(2, 30)):
            data[chance.randrange(size)] = chance.randrange(256)
    elif kind == 3:
        data[start:stop] = bytes(stop - start)
    elif kind == 4:
        del data[start:stop]
    else:
        data[start:start] = data[max(0, start - chance.randrange(1, 400)) : start]
    return bytes(data)


def outcomes(name: str, count: int, seed: int) -> dict:
    """What came of `count` damaged copies."""
    chance, content = random.Random(f"{seed} {name}"), encoded(name)
    found: Counter = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.{name.partition('-')[0]}"
        path.write_bytes(content)
        whole = read_image(path).astype(int)
        while found.total() < count:
            copy = damaged(content, chance)
            if copy == content:
                continue
            path.write_bytes(copy)
            begun = time.perf_counter()
            found[_outcome(path, whole)] += 1
            slowest = max(slowest, time.perf_counter() - begun)
    return dict(found) | {"slowest": slowest}


def _outcome(path: Path, whole: np.ndarray) -> str:
    try:
        read = read_image(path).astype(int)
    except UserError as error:
        return "refused" if "\n" not in str(error) else "said in several lines"
    if read.shape == whole.shape and (read == whole).all():
        return "same"
    if has_checksums(path):
        return "passed"
    same_shape = read.shape == whole.shape
    seen = not same_shape or (np.abs(read - whole).max(axis=-1) > VISIBLE).mean() > 0.01
    return "other, seen" if seen else "other, faint"


if __name__ == "__main__":
    print(json.dumps(outcomes(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))

"""Images that come into a watched folder, and what its record has of them."""

import json
import os

from PIL import Image

from tests.anomalylib.drawn import NORMAL, spoiled

SECOND = 10**9  # ns


def draw(path, number, changed=0):
    """Write one of the drawn images; `changed` is its modification time in seconds."""
    path.parent.mkdir(exist_ok=True)
    odd = number % 2
    Image.fromarray(spoiled(NORMAL[number]) if odd else NORMAL[number]).save(path)
    if changed:
        os.utime(path, ns=(changed * SECOND, changed * SECOND))
    return path


def names(rows):
    return [row["image"] for row in rows]


def kept(folder):
    """The lines of the record."""
    lines = (folder / "inspected.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]

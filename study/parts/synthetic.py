"""Drawn metal nuts and screws in the MVTec layout: the offline default.

Numbers from them show that the machinery works, not how a detector fares on real parts.
"""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from anomalylib.images.category import MARKER
from study.checkout import ROOT
from study.parts.drawing import DEFECTS, draw_part

RECIPE = "1"  # raise it when the images change
FOLDER = ROOT / "data" / "synthetic"
COUNTS = {"train": 48, "good": 40, "defect": 15}
QUICK_FOLDER = ROOT / "data" / "synthetic-quick"
QUICK_COUNTS = {"train": 40, "good": 16, "defect": 5}
EXPOSURE = {"metal_nut": (0.27, 0.012), "screw": (0.66, 0.02)}
"""Mean and deviation, over images, of the mean grey, of 1."""
VISIBLE = 0.02  # change of a pixel, of 1, that a mask counts as defect


def ensure_synthetic(folder: Path = FOLDER, counts: dict[str, int] = COUNTS) -> Path:
    """Draw the synthetic set unless it is there; counts as in `COUNTS`, of each defect type."""
    return drawn_once(folder, RECIPE, counts, _draw_all)


def drawn_once(folder: Path, recipe: str, counts: dict[str, int], draw_all: Callable) -> Path:
    """Let `draw_all(path, counts)` fill a folder unless it holds this recipe and these counts.

    The folder is complete or absent at any time.
    """
    marker = folder / MARKER
    wanted = {"name": "synthetic parts", "synthetic": True, "recipe": recipe, "counts": counts}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if _read(marker) == wanted:
            return folder
        beside = folder.with_name(folder.name + ".partial")
        shutil.rmtree(beside, ignore_errors=True)
        draw_all(beside, counts)
        (beside / MARKER).write_text(json.dumps(wanted))
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    return folder


def _draw_all(root: Path, counts: dict[str, int]) -> None:
    """Draw every category below `root`."""
    jobs = []
    for category, kinds in DEFECTS.items():
        jobs += [(category, "train", "good", i) for i in range(counts["train"])]
        jobs += [(category, "test", "good", i) for i in range(counts["good"])]
        jobs += [(category, "test", kind, i) for kind in kinds for i in range(counts["defect"])]
    for category, split, kind, index in tqdm(jobs, desc="synthetic parts", unit="image"):
        random = random_of(f"{category}/{split}/{kind}/{index}")
        image, mask = photograph(category, kind, random)
        save_png(image, root / category / split / kind / f"{index:03d}.png")
        if kind != "good":
            save_png(mask, root / category / "ground_truth" / kind / f"{index:03d}_mask.png")


def save_png(image: np.ndarray, path: Path) -> None:
    """Write an image of uint8, or one of 0 to 1 or a mask, brought to 0 to 255."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image if image.dtype == np.uint8 else to_bytes(image)).save(path)


def to_bytes(image: np.ndarray) -> np.ndarray:
    """From 0 to 1 to 0 to 255, uint8."""
    return np.round(image * 255.0).astype(np.uint8)


def random_of(name: str) -> np.random.Generator:
    """Random numbers for one image: the same whatever the counts and the order."""
    return np.random.default_rng(int.from_bytes(name.encode(), "big"))


def photograph(
    category: str, kind: str, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one part and take its image: uint8, (S, S, 3), and where its defect is, (S, S).

    The mean grey follows one distribution for all kinds: brightness carries no cue to the label.
    """
    image, mask = take_image(partial(draw_part, category), kind, EXPOSURE[category], random)
    return to_bytes(image), mask


def take_image(
    draw: Callable[[str, np.random.Generator], np.ndarray],
    kind: str,
    exposure: tuple[float, float],
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Light a drawn part, expose it, and find its defect by drawing it without.

    `draw(kind, random)` gives colours of 0 to 1, (H, W, C), as the image's are; `exposure` is
    the mean and the deviation, over images, of the mean grey. The mask is (H, W), bool.
    """
    seed = random.integers(2**32)
    part = draw(kind, np.random.default_rng(seed))
    sound = draw("good", np.random.default_rng(seed))
    mask = ndimage.binary_dilation(np.abs(part - sound).max(axis=-1) > VISIBLE, iterations=2)
    image = _under_the_lamp(part, random)
    target = random.normal(*exposure)
    for _ in range(3):  # clipping shifts the mean a little each time
        image = np.clip(image * target / image.mean(), 0, 1)
    return image, mask


def _under_the_lamp(part: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add what varies between images of good parts: light, dust, blur, noise."""
    height, width = part.shape[:2]
    y, x = np.mgrid[:height, :width] / height
    y, x = y - 0.5, x - width / height / 2
    angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0, 0.35)
    light = 1 + strength * (x * np.cos(angle) + y * np.sin(angle))
    image = part * light[..., None]
    for _ in range(random.poisson(6)):  # dust
        cx, cy, radius = *random.uniform(-0.5, 0.5, 2), random.uniform(0.002, 0.006)
        speck = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius**2))
        image = image + random.normal(0, 0.15) * speck[..., None]
    for _ in range(random.poisson(1.5)):  # oil and fingerprints
        cx, cy, radius = *random.uniform(-0.35, 0.35, 2), random.uniform(0.03, 0.09)
        smear = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius**2))
        image = image * (1 - random.uniform(0, 0.14) * smear[..., None])
    image = ndimage.gaussian_filter(image, (*[random.uniform(0.3, 0.8)] * 2, 0))
    return image + random.normal(0, random.uniform(0.008, 0.02), part.shape)


def _read(marker: Path) -> dict | None:
    """What was drawn; none where nothing was, or the marker is damaged."""
    try:
        return json.loads(marker.read_text())
    except (OSError, ValueError):
        return None

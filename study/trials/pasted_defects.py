"""Defects pasted on normal images: what a setting may be chosen by, as no test label is.

They are synthetic: whether they rank settings as real defects do has to be shown, not assumed.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from anomalylib.metrics.image import auroc
from anomalylib.sources import code_hash

EDGE = 4  # pixels along the border that are taken for background
CONTRAST = 0.35  # of the strongest, from which on a pixel belongs to the part
GAIN = (0.88, 1.12)  # range of the light in which every image is judged, pasted or not


def paste(image: np.ndarray, kind: str, random: np.random.Generator) -> np.ndarray:
    """Put one small defect of a kind in `KINDS` somewhere on the part: (S, S, 3), uint8."""
    pixels = image.astype(np.float64)
    inside = np.argwhere(part_of(image))  # (n, 2)
    place, other = inside[random.integers(len(inside), size=2)]
    changed, weight = KINDS[kind](pixels, place, other, random)  # (S, S, 3), (S, S)
    mixed = pixels + weight[..., None] * (changed - pixels)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def in_other_light(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The image a little darker or brighter: (S, S, 3), uint8."""
    return np.clip(np.rint(image * random.uniform(*GAIN)), 0, 255).astype(np.uint8)


def part_of(image: np.ndarray) -> np.ndarray:
    """Where the part is, (S, S): what differs from the border. Everything, if nothing does."""
    grey = ndimage.gaussian_filter(image.mean(axis=-1), 0.003 * len(image))  # (S, S)
    border = np.ones_like(grey, dtype=bool)
    border[EDGE:-EDGE, EDGE:-EDGE] = False
    contrast = np.abs(grey - np.median(grey[border]))
    mask = ndimage.binary_opening(contrast > max(CONTRAST * np.percentile(contrast, 98), 8))
    return mask if mask.any() else np.ones_like(mask)


def _ellipse(side: int, place: np.ndarray, axes: np.ndarray, angle: float) -> np.ndarray:
    """1 inside, falling to 0 over the last of its radius: (S, S)."""
    y, x = np.mgrid[:side, :side] - place[:, None, None]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    radius = np.hypot(along / axes[0], across / axes[1])
    return np.clip((1.15 - radius) / 0.3, 0, 1)


def _spot(pixels, place, random, smallest=0.012, largest=0.03) -> np.ndarray:
    axes = random.uniform(smallest, largest, 2) * len(pixels)
    return _ellipse(len(pixels), place, axes, random.uniform(0, np.pi))


def _piece(pixels, place, other, random):
    """A piece of the same part, turned, where it does not belong."""
    angle = np.deg2rad(random.uniform(0, 360))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = _warped(pixels, ndimage.affine_transform, turn, other - turn @ place)
    return turned, _spot(pixels, place, random)


def _warped(pixels: np.ndarray, warp: Callable, *how: Any) -> np.ndarray:
    """The image (S, S, 3) with a warp of ndimage done to each of its colours."""
    colours = np.moveaxis(pixels, -1, 0)  # (3, S, S)
    return np.stack([warp(colour, *how, order=1, mode="mirror") for colour in colours], axis=-1)


def _scratch(pixels, place, other, random):
    """A thin line, darker or brighter."""
    side = len(pixels)
    axes = np.array([random.uniform(0.02, 0.05), random.uniform(0.003, 0.007)]) * side
    change = random.choice([-1, 1]) * random.uniform(25, 70)
    smooth = ndimage.gaussian_filter(pixels, (2, 2, 0))
    return smooth + change, _ellipse(side, place, axes, random.uniform(0, np.pi))


def _smear(pixels, place, other, random):
    """Detail lost."""
    width = 0.012 * len(pixels)
    return ndimage.gaussian_filter(pixels, (width, width, 0)), _spot(pixels, place, random)


def _bend(pixels, place, other, random):
    """The surface pushed aside."""
    side = len(pixels)
    weight = ndimage.gaussian_filter(_spot(pixels, place, random, 0.02, 0.04), 0.006 * side)
    length, angle = random.uniform(0.008, 0.018) * side, random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:side, :side] + 0.0
    where = [y + weight * length * np.sin(angle), x + weight * length * np.cos(angle)]
    return _warped(pixels, ndimage.map_coordinates, where), np.ones((side, side))


def _stain(pixels, place, other, random):
    """Darker or brighter in one place."""
    factor = random.choice([random.uniform(0.6, 0.8), random.uniform(1.2, 1.4)])
    return pixels * factor, _spot(pixels, place, random)


KINDS = {"piece": _piece, "scratch": _scratch, "smear": _smear, "bend": _bend, "stain": _stain}


class PastedImages:
    """Normal images (S, S, 3), bare and with each kind of defect, drawn alike at every reading."""

    def __init__(self, images: Sequence[np.ndarray], seed: int = 0):
        self.images, self.seed = images, seed
        self.kinds = np.repeat(["", *KINDS], len(images))  # empty where an image is bare

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the images below, the seed and what draws on them."""
        made = f"{self.images.fingerprint} pasted {self.seed} {code_hash(__name__)}"
        return hashlib.sha256(made.encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, index: int) -> np.ndarray:
        random = np.random.default_rng((self.seed, index))
        image = self.images[index % len(self.images)]
        if kind := self.kinds[index]:
            image = paste(image, kind, random)
        return in_other_light(image, random)


def aurocs(scores: np.ndarray, kinds: np.ndarray) -> dict[str, float]:
    """AUROC of every kind of pasted defect against the bare images."""
    compared = {kind: np.isin(kinds, ["", kind]) for kind in KINDS}
    labels = (kinds != "").astype(int)
    return {kind: auroc(labels[chosen], scores[chosen]) for kind, chosen in compared.items()}

"""How a metal nut and a screw are drawn, sound or with a defect.

Each drawing takes its random numbers in one order, appearance first and
defect last, so that the same seed gives the same part with and without it.
"""

from itertools import pairwise

import numpy as np
from scipy import ndimage

SIDE = 256  # pixels
DEFECTS = {
    "metal_nut": ("bent", "color", "flip", "scratch"),
    "screw": ("bent_tip", "missing_thread", "scratch_head", "scratch_neck"),
}
EDGE = 1.5 / SIDE  # width of an antialiased edge, in image sides


def draw_part(category: str, kind: str, random: np.random.Generator) -> np.ndarray:
    """A part without light or noise, (S, S, 3), 0 to 1; a kind is "good" or of `DEFECTS`."""
    draw = {"metal_nut": _metal_nut, "screw": _screw}[category]
    return np.clip(draw(kind, random), 0, 1)


def inside(distance: np.ndarray) -> np.ndarray:
    """1 where a signed distance is negative, 0 outside, smooth between."""
    return np.clip(0.5 - distance / EDGE, 0, 1)


def ridge(distance: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """1 at a distance of 0, falling off as a bell."""
    return np.exp(-((distance / width) ** 2))


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the pixels, -0.5 to 0.5."""
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE - 0.5
    return x, y


def grain(random: np.random.Generator, along: float, across: float, side: int = SIDE) -> np.ndarray:
    """Brushed texture: noise smoothed more along one axis; (side, side), deviation 1."""
    noise = ndimage.gaussian_filter(random.normal(size=(side, side)), (along, across))
    return noise / noise.std()


def stroke_distance(x, y, start, end, wobble: float, random: np.random.Generator) -> np.ndarray:
    """Distance of each pixel to a wobbling stroke from `start` to `end`."""
    steps = np.linspace(0, 1, 24)
    points = np.outer(1 - steps, start) + np.outer(steps, end)
    points += np.cumsum(random.normal(0, wobble, points.shape), axis=0)
    nearest = np.full(x.shape, np.inf)
    for (ax, ay), (bx, by) in pairwise(points):
        length = (bx - ax) ** 2 + (by - ay) ** 2 + 1e-12
        t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)))
    return nearest


def _metal_nut(kind: str, random: np.random.Generator) -> np.ndarray:
    """A four-lobed nut seen from above; its lobes lean one way round."""
    x, y = _grid()
    x, y = x - random.normal(0, 0.008), y - random.normal(0, 0.008)
    turn, scale = random.uniform(0, 2 * np.pi), random.normal(1, 0.012)
    lean, shade = random.normal(0.7, 0.04), random.uniform(0, 2 * np.pi)
    gloss = random.uniform(0.03, 0.07)
    brushed, pits = grain(random, 0.6, 6), grain(random, 1.2, 1.2)
    grey, hole = random.normal(0.58, 0.02), random.normal(0.135, 0.003)
    # The defect's numbers come after all of the appearance's.
    strength, where, size = random.uniform(0.25, 1), random.uniform(0, 2 * np.pi), random.uniform()

    around = np.arctan2(y, x)
    radius, angle = np.hypot(x, y) / scale, around - turn
    if kind == "flip":
        angle = -angle  # the other side up
    lobes = np.cos(4 * angle + lean * np.sin(4 * angle + 0.9))
    outline = 0.33 + 0.055 * np.tanh(2.2 * lobes)
    if kind == "bent":
        which = turn + np.pi / 2 * np.floor(where / (np.pi / 2))
        away = np.angle(np.exp(1j * (around - which)))
        outline = outline - (0.02 + 0.035 * strength) * ridge(away, 0.22)
    body = inside(radius - outline) * inside(hole - radius)
    rim, collar = ridge(radius - outline + 0.012, 0.008), ridge(radius - hole - 0.02, 0.006)
    face = grey + gloss * np.cos(2 * (around - shade)) + 0.022 * brushed + 0.018 * pits
    face = face + 0.16 * rim * np.cos(around - shade) - 0.10 * collar
    steel = np.stack([face, face * 0.99, face * 0.96], axis=-1)
    if kind == "color":
        steel = _stain(steel, x, y, where, strength, size)
    if kind == "scratch":
        steel = _scratch(steel, x, y, where, strength, random)
    table = (0.10 + 0.012 * pits)[..., None] * np.array([1.0, 1.02, 1.06])
    return table + body[..., None] * (steel - table)


def _stain(steel, x, y, where: float, strength: float, size: float) -> np.ndarray:
    """A coloured blot on the face."""
    cx, cy = 0.235 * np.cos(where), 0.235 * np.sin(where)
    blot = np.exp(-((((x - cx) ** 2 + (y - cy) ** 2) / (2 * (0.012 + 0.025 * size) ** 2)) ** 2))
    dyes = np.array([[0.35, 0.15, 0.12], [0.15, 0.2, 0.4], [0.4, 0.33, 0.1]])
    return steel + (0.55 * strength * blot)[..., None] * (dyes[int(3 * size * 0.999)] - steel)


def _scratch(steel, x, y, where: float, strength: float, random) -> np.ndarray:
    """A thin stroke on the face, bright along one edge."""
    middle = 0.235 * np.array([np.cos(where), np.sin(where)])
    half = random.uniform(0.02, 0.06) * np.array([np.cos(2 * where), np.sin(2 * where)])
    stroke = stroke_distance(x, y, middle - half, middle + half, 0.0015, random)
    groove = ridge(stroke, 0.0035) - 0.6 * ridge(stroke - 0.007, 0.003)
    return steel + (0.30 * strength * groove)[..., None]


def _screw(kind: str, random: np.random.Generator) -> np.ndarray:
    """A screw lying on a light table at any angle: head, neck, thread, tip."""
    x, y = _grid()
    turn = random.uniform(0, 2 * np.pi)
    cx, cy = random.normal(0, 0.012, 2)
    scale, phase, shine = random.normal(1, 0.01), random.uniform(), random.uniform(-0.35, 0.35)
    turned, dirt, grey = grain(random, 3, 0.8), grain(random, 2, 2), random.normal(0.46, 0.02)
    # The defect's numbers come after all of the appearance's.
    strength, where, side = random.uniform(0.3, 1), random.uniform(), random.choice([-1, 1])

    x, y = (x - cx) / scale, (y - cy) / scale
    u = x * np.cos(turn) + y * np.sin(turn)  # along the axis, head at -0.36
    v = -x * np.sin(turn) + y * np.cos(turn)  # across
    if kind == "bent_tip":
        v = v - side * (0.008 + 0.02 * strength) * np.clip((u - 0.24) / 0.12, 0, 1.3) ** 2
    core = 0.028 * np.clip((0.37 - u) / 0.09, 0, 1)  # the thread's core, pointed at the end
    half = np.where(u < 0.0, 0.034, core)
    half = np.where(u < -0.25, 0.034 + 0.05 * np.clip((-0.25 - u) / 0.08, 0, 1) ** 1.5, half)
    pitch, ridge = 0.036, 0.014
    height = ridge * np.clip((0.36 - u) / 0.08, 0, 1) * inside(0.0 - u)
    if kind == "missing_thread":
        start = 0.04 + 0.2 * where
        gap = inside(start - u) * inside(u - start - (0.5 + strength) * pitch)
        height = height * (1 - (0.5 + 0.5 * strength) * gap * (side * v > -0.01))
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * ((u + 0.35 * v) / pitch + phase))
    width = half + height * wave
    body = inside(np.abs(v) - width) * inside(-0.36 - u) * inside(u - 0.375)
    round_ = np.sqrt(np.clip(1 - (v / (width + 1e-6)) ** 2, 0, 1))
    face = grey + 0.32 * round_ * (1 + shine * np.sign(v) * np.abs(v) / 0.05) - 0.18
    face = face + 9.0 * height * (wave - 0.5) + 0.025 * turned + 0.015 * dirt
    if kind in {"scratch_head", "scratch_neck"}:
        face = face + _screw_scratch(kind, u, v, where, strength, random)
    table = 0.80 - ndimage.gaussian_filter(body, 5) * 0.25 + 0.006 * dirt
    return np.repeat((table + body * (face - table))[..., None], 3, axis=-1)


def _screw_scratch(kind, u, v, where: float, strength: float, random) -> np.ndarray:
    """A stroke across the head or along the neck, in the screw's own axes."""
    if kind == "scratch_head":
        start, along = np.array([-0.35, -0.06 + 0.08 * where]), np.array([0.035, 0.04])
    else:
        start, along = np.array([-0.22 + 0.1 * where, -0.02]), np.array([0.06, 0.03])
    stroke = stroke_distance(u, v, start, start + along, 0.0015, random)
    return -0.45 * strength * ridge(stroke, 0.005)

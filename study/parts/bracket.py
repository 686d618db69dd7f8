"""A drawn sheet-metal bracket, laid out as one's own parts are: folders of mixed files."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from study.checkout import ROOT
from study.parts.drawing import SIDE, grain, inside, ridge, stroke_distance
from study.parts.synthetic import drawn_once, random_of, take_image, to_bytes

RECIPE = "bracket 2"  # raise it when the images change
FOLDER = ROOT / "data" / "bracket"
COUNTS = {"normal": 100, "defect": 8}
QUICK_COUNTS = {"normal": 50, "defect": 5}
NAME = "bracket"
DEFECTS = ("crack", "dent", "missing_hole", "scratch")
EXPOSURE = (0.36, 0.012)
"""Mean and deviation, over images, of the mean grey, of 1; one for all kinds."""
SQUARE, WIDE = (SIDE, SIDE), (240, 320)  # height and width, pixels

TURN = 24
ODD = {2: "jpeg", 7: "wide", 9: "16 bit", 14: "jpeg", 16: "turned", 19: "wide"}
"""Of each `TURN` images these are no square 8-bit PNG; the share is that of every kind."""

HOLES = ((-0.22, -0.22, 0.042), (-0.22, -0.02, 0.026), (-0.22, 0.19, 0.046), (0.02, 0.19, 0.03))
SLOT = (0.25, 0.19, 0.042, 0.018)  # centre, half length, half width; in image heights
BEND = 0.14


def ensure_bracket(folder: Path = FOLDER, counts: dict[str, int] = COUNTS) -> Path:
    """Draw the bracket as a folder of own parts unless it is there already.

    ``bracket/normal``, ``bracket/abnormal/<defect type>`` and ``bracket/masks/<defect type>``;
    `counts` are sound images and those of each defect type. A quarter, of sound and of
    defective parts, is in the other forms of `ODD`.
    """
    return drawn_once(folder, RECIPE, counts, _draw_all)


def _draw_all(root: Path, counts: dict[str, int]) -> None:
    """Draw all images and masks below `root`."""
    jobs = [("good", i) for i in range(counts["normal"])]
    jobs += [(kind, i) for kind in DEFECTS for i in range(counts["defect"])]
    for kind, index in tqdm(jobs, desc="synthetic brackets", unit="image"):
        # Each defect type begins elsewhere in the turn, so that few images of it have all kinds.
        place = index if kind == "good" else index + 6 * DEFECTS.index(kind)
        form = ODD.get(place % TURN, "png")
        shape = WIDE if form == "wide" else SQUARE
        image, mask = photograph(kind, random_of(f"{NAME}/{kind}/{index}"), shape)
        folder = "normal" if kind == "good" else f"abnormal/{kind}"
        save_as(form, image, root / NAME / folder / f"{index:03d}")
        if kind != "good":
            save_mask(form, mask, root / NAME / "masks" / kind / f"{index:03d}.png")


def save_mask(form: str, mask: np.ndarray, path: Path) -> None:
    """Write a mask, (H, W) bool, with the orientation of an image in one of the forms of `ODD`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = Image.fromarray(to_bytes(mask))
    _save_lying(drawn, path) if form == "turned" else drawn.save(path)


def _save_lying(image: Image.Image, path: Path, **options: int) -> None:
    """Write as a camera held upright saves: 6 is a quarter turn clockwise to do."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, **options)


def save_as(form: str, image: np.ndarray, stem: Path) -> None:
    """Write an image, (H, W) of 0 to 1, in one of the forms of `ODD`, else as PNG."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    if form == "16 bit":
        Image.fromarray(np.round(image * 65535).astype(np.uint16)).save(stem.with_suffix(".tif"))
        return
    plain = Image.fromarray(to_bytes(image)).convert("RGB")
    if form == "jpeg":
        plain.save(stem.with_suffix(".jpg"), quality=95)
    elif form == "turned":
        _save_lying(plain, stem.with_suffix(".jpg"), quality=95)
    else:
        plain.save(stem.with_suffix(".png"))


def photograph(
    kind: str, random: np.random.Generator, shape: tuple[int, int] = SQUARE
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one bracket and take its image: grey, 0 to 1, (H, W), and where its defect is."""

    def draw(kind: str, random: np.random.Generator) -> np.ndarray:
        return draw_bracket(kind, random, shape)[..., None]  # (H, W, 1)

    image, mask = take_image(draw, kind, EXPOSURE, random)
    return image[..., 0], mask


def draw_bracket(kind: str, random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """An L of sheet metal from above, its end bent down: grey, 0 to 1, (H, W)."""
    u, v = _lie(random, shape)
    lamp, tilt = random.uniform(0, 2 * np.pi), random.uniform(0.07, 0.11)
    grey, gloss = random.normal(0.60, 0.015), random.uniform(0.05, 0.12)
    offset, brushed = random.uniform(-20, 20), grain(random, 0.7, 9, side=2 * SIDE)
    mottle = ndimage.gaussian_filter(random.normal(size=shape), 1.2)
    # The defect's numbers come after all of the appearance's.
    strength, which = random.uniform(0.35, 1), random.integers(len(HOLES) + 1)

    outline, holes = _plate(u, v), _holes(u, v)
    sound = np.maximum(outline, -np.min(holes, axis=0))  # below 0 where there is metal
    if kind == "missing_hole":
        holes[which] = np.ones(shape)
    edge = np.maximum(outline, -np.min(holes, axis=0))
    body = inside(edge)
    light = np.array([np.cos(lamp), np.sin(lamp)])
    texture = ndimage.map_coordinates(
        brushed, [v * SIDE + SIDE + offset, u * SIDE + SIDE], order=1, mode="reflect"
    )
    face = grey + gloss * (u * light[0] + v * light[1]) + 0.022 * texture + 0.05 * mottle
    face = face + _bent(u, light[0], tilt) + _rim(edge, light)
    if kind in {"crack", "dent", "scratch"}:
        face = face + MARKS[kind](u, v, sound, light, strength, random)
    shift = 4 * np.array([light[1], light[0]])  # away from the lamp, in pixels
    shadow = ndimage.gaussian_filter(ndimage.shift(body, shift, order=1), 3)
    table = 0.27 - 0.12 * shadow + 0.04 * mottle
    return np.clip(table + body * (face - table), 0, 1)


def _lie(random: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across the plate, in image heights, as it happens to lie."""
    height, width = shape
    y, x = (np.mgrid[:height, :width] + 0.5) / height
    x, y = x - width / height / 2, y - 0.5
    turn, scale = random.uniform(-0.22, 0.22), random.normal(1, 0.01)
    x, y = (x - random.normal(0, 0.015)) / scale, (y - random.normal(0, 0.015)) / scale
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def _box(u, v, middle, half, corner: float) -> np.ndarray:
    """Signed distance to a rectangle with round corners."""
    du, dv = np.abs(u - middle[0]) - half[0] + corner, np.abs(v - middle[1]) - half[1] + corner
    outer = np.hypot(np.maximum(du, 0), np.maximum(dv, 0))
    return outer + np.minimum(np.maximum(du, dv), 0) - corner


def _plate(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Signed distance to the outline: two legs, a fillet between, notches where it is bent."""
    upright = _box(u, v, (-0.22, -0.01), (0.115, 0.315), 0.03)
    lying = _box(u, v, (0.0, 0.19), (0.335, 0.115), 0.03)
    mix = np.clip(0.5 + (lying - upright) / 0.12, 0, 1)
    rounded = lying + mix * (upright - lying) - 0.06 * mix * (1 - mix)
    plate = np.maximum(rounded, _box(u, v, (0.0, -0.01), (0.335, 0.315), 0.03))
    notches = [np.hypot(u - BEND, v - end) - 0.014 for end in (0.075, 0.305)]
    return np.maximum(plate, -np.minimum(*notches))


def _holes(u: np.ndarray, v: np.ndarray) -> list[np.ndarray]:
    """Signed distances to the holes and the slot."""
    round_ = [np.hypot(u - a, v - b) - radius for a, b, radius in HOLES]
    return [*round_, _box(u, v, SLOT[:2], SLOT[2:], SLOT[3])]


def _bent(u: np.ndarray, light: float, tilt: float) -> np.ndarray:
    """Shade of the end that is bent down, and the line of the bend."""
    line, dark = ridge(u - BEND, 0.012), ridge(u - BEND + 0.02, 0.008)
    return -tilt * (1 - 0.8 * light) * inside(BEND - u) + 0.14 * line - 0.05 * dark


def _rim(edge: np.ndarray, light: np.ndarray) -> np.ndarray:
    """The cut edge: bright towards the lamp, dark away from it."""
    down, across = np.gradient(edge)
    length = np.hypot(down, across) + 1e-9
    towards = (across * light[0] + down * light[1]) / length
    return -0.17 * towards * ridge(edge + 0.007, 0.006)


def _spot(u, v, where: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A place drawn among those allowed, in the plate's coordinates."""
    rows, columns = np.nonzero(where)
    chosen = random.integers(len(rows))
    return np.array([u[rows[chosen], columns[chosen]], v[rows[chosen], columns[chosen]]])


def _crack(u, v, edge, light, strength: float, random) -> np.ndarray:
    """A dark jagged line from an edge into the metal, narrower towards its end."""
    start = _spot(u, v, np.abs(edge) < 0.004, random)
    middle = _spot(u, v, (edge < -0.03) & (np.hypot(u - start[0], v - start[1]) < 0.09), random)
    reach = (middle - start) / np.hypot(*(middle - start)) * (0.07 + 0.06 * strength)
    distance = stroke_distance(u, v, start, start + reach, 0.003, random)
    along = np.clip(np.hypot(u - start[0], v - start[1]) / np.hypot(*reach), 0, 1)
    return -(0.25 + 0.25 * strength) * ridge(distance, 0.0045 - 0.003 * along)


def _dent(u, v, edge, light, strength: float, random) -> np.ndarray:
    """A shallow hollow: its far wall bright, its near wall dark."""
    place, size = _spot(u, v, edge < -0.045, random), 0.018 + 0.016 * strength
    du, dv = (u - place[0]) / size, (v - place[1]) / size
    slope = (du * light[0] + dv * light[1]) * np.exp(-(du**2 + dv**2))
    return (0.25 + 0.3 * strength) * slope - 0.04 * np.exp(-(du**2 + dv**2))


def _scratch(u, v, edge, light, strength: float, random) -> np.ndarray:
    """A thin bright stroke, dark along one side."""
    middle, turn = _spot(u, v, edge < -0.03, random), random.uniform(0, np.pi)
    half = (0.03 + 0.06 * strength) * np.array([np.cos(turn), np.sin(turn)])
    distance = stroke_distance(u, v, middle - half, middle + half, 0.001, random)
    return 0.27 * strength * (ridge(distance, 0.003) - 0.5 * ridge(distance - 0.006, 0.003))


MARKS = {"crack": _crack, "dent": _dent, "scratch": _scratch}

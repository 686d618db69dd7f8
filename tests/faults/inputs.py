"""What people really have: folders and files beside the layout, other names, changed thresholds."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image

import anomalylib as al
from anomalylib.__main__ import main
from anomalylib.errors import UserError
from anomalylib.images.category import load_category
from tests.faults.common import Setup, Tried

BESIDE = ("defective", "Abnormal", "NG", "bad parts", "normal_test", "ok", "test/good", "train")
BESIDE += ("validate", "Masks", "new", "abnormal/scratch/line1", "normal/monday", "abnormal/OK")
INSIDE = ("train/bad", "train/good/1", "test/ok", "test/Good", "test/scratch/1", "Train/good")
INSIDE += ("ground_truth/scrtch", "groundtruth/scratch", "val/good", "normal.bak", "more/a/b")
NAMES = ("a.jpe", "b.JFIF", "c.tga", "d.dib", "deep/er/e.PNG", "f.ppm", "g.heic", "h.txt", "i")
READ = 6  # of these
THRESHOLDS = (math.nan, math.inf, -math.inf)


def folders_beside(setup: Setup) -> Tried:
    """Images in folders whose names are near misses of those of a layout, or deeper"""
    tried = refused = 0
    for layout, places in (("own", BESIDE), ("mvtec", INSIDE)):
        for place in places:
            tried += 1
            root = setup.folder(f"beside-{tried}")
            _category(root / "part", layout)
            _image(9).save(_made(root / "part" / place) / "more.png")
            refused += _is_refused(root, place)
    return Tried(tried, f"{refused} refused in one line that names the folder", tried - refused)


def files_beside(setup: Setup) -> Tried:
    """Files and folders without images beside those of a layout"""
    tried = named = 0
    for layout, name in itertools.product(
        ("own", "mvtec"), ("notes.txt", "part.xml", "empty/", "a/b/c.json", "photo.png")
    ):
        tried += 1
        root = setup.folder(f"files-{tried}")
        _category(root / "part", layout)
        path = root / "part" / name
        if name.endswith("/"):
            path.mkdir()
        elif name.endswith(".png"):
            _image(9).save(path)
        else:
            _made(path.parent).joinpath(path.name).write_text("{}")
        named += any(name.startswith(unused) for unused in load_category(root, "part").unused)
    return Tried(tried, f"{named} named as unused", tried - named)


def new_images(setup: Setup) -> Tried:
    """New images below a folder, of many formats, beside files that are none"""
    folder, detector = setup.folder("new"), _detector(setup)
    formats = {"tga": "TGA", "dib": "DIB", "png": "PNG", "ppm": "PPM"}
    for number, name in enumerate(NAMES):
        path = folder / name
        _made(path.parent)
        if number < READ:
            _image(5, defect=True).save(path, formats.get(path.suffix[1:].lower(), "JPEG"))
        else:
            path.write_bytes(b"no image")
    table = setup.scratch / "new.csv"
    code = main(["inspect", "--detector", str(detector), "--csv", str(table), str(folder)])
    rows = table.read_text().splitlines()[1:]
    scored = sum(",unreadable," not in row for row in rows)
    lost = abs(len(NAMES) - len(rows)) + abs(READ - scored) + (code != 2)
    return Tried(len(NAMES), f"{scored} scored, {len(rows) - scored} named, exit code {code}", lost)


def thresholds(setup: Setup) -> Tried:
    """Thresholds that are no number, and thresholds changed after a detector was saved"""
    path = _detector(setup)
    tried = lost = 0
    for value in THRESHOLDS:
        for rule in (al.Given(value), al.MeanPlusSigma(sigma=value)):
            tried += 1
            try:
                al.load(path).calibrate(rule, [1.0, 2.0])
                lost += 1
            except UserError as error:
                lost += "\n" in str(error)
    image, report = setup.folder("scored") / "a.png", setup.scratch / "scored.html"
    _image(7).save(image)
    for rule in (al.Given(0.25), al.Quantile(share=0.5), al.Conformal(alpha=0.4)):
        tried += 1
        changed = al.save(al.load(path).calibrate(rule, np.arange(9.0)), path.with_stem("changed"))
        detector = al.load(changed)
        finding = al.inspect(detector, [image])[0]
        same = {detector.threshold_, finding.threshold, json.loads(_card(changed))["threshold"]}
        lost += same != {al.load(path).calibrate(rule, np.arange(9.0)).threshold_}
        lost += (finding.decision == "anomalous") != bool(detector.predict(_image(7))[0])
        main(["inspect", "--detector", str(changed), "--html", str(report), str(image)])
        lost += detector.rule_.origin not in report.read_text()
    said = f"{tried - lost} refused where they are set, or carried into file, report and decision"
    return Tried(tried, said, lost)


FAULTS = (folders_beside, files_beside, new_images, thresholds)


def _image(seed: int, defect: bool = False) -> Image.Image:
    pixels = np.random.default_rng(seed).normal(120, 8, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    pixels[20:40, 20:40] = 255 if defect else pixels[20:40, 20:40]
    return Image.fromarray(pixels)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _category(folder: Path, layout: str) -> None:
    """A category in one of the two layouts, with a defect type and a mask."""
    own = layout == "own"
    normal = ["normal"] if own else ["train/good", "test/good"]
    for place in normal:
        for number in range(6):
            _image(number).save(_made(folder / place) / f"{number}.png")
    defective, masks = ("abnormal", "masks") if own else ("test", "ground_truth")
    _image(8, defect=True).save(_made(folder / defective / "scratch") / "0.png")
    Image.new("L", (64, 64), 255).save(_made(folder / masks / "scratch") / "0_mask.png")


def _is_refused(root: Path, place: str) -> bool:
    """Whether the category is refused in one line with the name of the place in it."""
    try:
        load_category(root, "part")
    except UserError as error:
        return "\n" not in str(error) and place.partition("/")[0] in str(error)
    return False


def _detector(setup: Setup) -> Path:
    """The file of a small autoencoder, fitted on drawn images."""
    path = setup.scratch / "small.safetensors"
    if not path.is_file():
        images = [np.asarray(_image(number)) for number in range(6)]
        al.save(al.Autoencoder(side=32, code=4, epochs=1).fit(images), path)
    return path


def _card(path: Path) -> str:
    import safetensors

    with safetensors.safe_open(path, "pt") as file:
        return file.metadata()["anomalylib"]

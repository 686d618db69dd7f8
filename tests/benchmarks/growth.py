"""Time and memory as images grow in number and in size; drawn or given images, repeated."""

import shutil
import time
from pathlib import Path

import safetensors.torch
import torch
from torchvision.models import resnet50

from tests.benchmarks.common import Row, Setup, alone
from tests.benchmarks.models import MODELS, build, images, load

THREADS = 2
COUNTS = (100, 400, 1600, 6400)
SIDES = (224, 320, 448)
WIDE = 480
"""Images of the run with the original's 1,536 channels."""
"""Those that share one image size, and so one file of features."""


def measure(setup: Setup) -> list[Row]:
    """Seconds and peak memory to extract and to learn; each in a process of its own.

    The networks see each image once: a pass is what grows with the number.
    """
    counts, sides = ((8, 16), (64, 96)) if setup.quick else (COUNTS, SIDES)
    usual = sides[0]
    rows = []
    for count in counts:
        rows += _all_models(setup, count, usual)
    for side in sides[1:]:
        rows += _all_models(setup, counts[1], side)
    return rows + _all_models(
        _wide(setup), counts[0] if setup.quick else WIDE, usual, channels=1536
    )


def _wide(setup: Setup) -> Setup:
    """The original's two layers, with random weights: their file may not be at hand."""
    setup.scratch.mkdir(parents=True, exist_ok=True)
    file = setup.scratch / "resnet50-random.safetensors"
    torch.manual_seed(0)
    safetensors.torch.save_file(resnet50(weights=None).state_dict(), file)
    given = {"weights": str(file), "layers": "layer2,layer3"}
    return Setup(
        setup.data_root, setup.categories, scratch=setup.scratch, quick=setup.quick, **given
    )


def _all_models(setup: Setup, count: int, side: int, channels: int | None = None) -> list[Row]:
    folder = setup.scratch / "growth"
    shutil.rmtree(folder, ignore_errors=True)
    rows = []
    for model in ("features", *MODELS):
        if model == "autoencoder" and channels:
            continue  # it has no features
        row, peak = alone(_one, setup, model, count, side, folder)
        rows.append(row | {"peak_mb": peak, "wide": bool(channels)})
    shutil.rmtree(folder, ignore_errors=True)
    return rows


def _one(setup: Setup, model: str, count: int, side: int, folder: Path) -> Row:
    """Extract features, or learn from those that are there."""
    torch.set_num_threads(THREADS)
    train = load(setup, setup.categories[0]).train
    repeated = images(train, (number % len(train) for number in range(count)))
    once = {"epochs": 1} if model in ("autoencoder", "combined") else {}
    sized = {} if model == "autoencoder" else {"image_size": side}
    detector = build(setup, "resnet" if model == "features" else model, once | sized, folder)
    start = time.perf_counter()
    if model == "features":
        shape = detector.prepare(repeated).shape
    else:
        detector.fit(repeated)
        shape = ()
    seconds = time.perf_counter() - start
    said = {"model": model, "images": count, "side": side, "threads": THREADS}
    return said | {"seconds": seconds, "shape": list(shape)}

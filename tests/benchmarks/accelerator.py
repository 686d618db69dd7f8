"""What an accelerator does, where one is at hand; without one the rows say that nothing was."""

import shutil
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from anomalylib.devices import describe_device, resolve_device
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_batch
from study.runs.measurement import make_detector
from study.settings import make_settings
from tests.benchmarks.common import Row, Setup, in_turn
from tests.benchmarks.models import load

COMMAND = "make bench ONLY=accelerator DATA_ROOT=folder WEIGHTS=file"
BATCH, SIDE = 256, 8192
WHAT = (
    ("features, bfloat16", "images per second"),
    ("features, bfloat16, share of a large product's arithmetic", "share"),
    ("combined, bfloat16, one image in memory to its verdict", "milliseconds"),
    ("combined, fit of a category from its files", "seconds"),
    ("decoding of its files, on one core", "seconds"),
)
"""What is measured, and in what."""


def measure(setup: Setup) -> list[Row]:
    """A row for each of `WHAT`; its value is None where there is no accelerator."""
    device = resolve_device("auto")
    values = [None] * len(WHAT) if device.type == "cpu" else _measured(setup, str(device))
    said = {"device": describe_device(device), "command": COMMAND}
    return [
        {"what": what, "unit": unit, "value": value} | said
        for (what, unit), value in zip(WHAT, values, strict=True)
    ]


def _measured(setup: Setup, device: str) -> list[float]:
    backbone = resolve_backbone("auto", setup.weights, setup.layers)
    half = "float32" if backbone.path.suffix == ".pt2" else "bfloat16"
    features = FeatureExtractor(backbone, precision=half, device=device)
    images = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
    square = torch.rand(SIDE, SIDE, device=device).to(getattr(torch, half))
    with FlopCounterMode(display=False) as counter:
        features(images[:1])
    work = {"features": lambda: features(images), "product": lambda: square @ square}
    seconds = {name: np.median(s) for name, s in in_turn(_finished(work), 7).items()}
    speed = BATCH / seconds["features"]
    share = counter.get_total_flops() * speed / (2 * SIDE**3 / seconds["product"])

    category = load(setup, setup.categories[0])
    shutil.rmtree(setup.scratch, ignore_errors=True)
    start = time.perf_counter()
    settings = make_settings("combined", {"precision": half, "device": device})
    detector = make_detector("combined", settings, backbone).set_params(cache=setup.scratch)
    detector.fit(category.train)
    fitted = time.perf_counter() - start
    image = category.test[0]
    one = np.median(in_turn({"one": lambda: detector.inspect(image)}, 50)["one"])
    start = time.perf_counter()
    load_batch(category.train, 0, len(category.train), 224)
    decoding = time.perf_counter() - start
    return [float(value) for value in (speed, share, 1000 * one, fitted, decoding)]


def _finished(work: dict[str, Callable]) -> dict[str, Callable]:
    """The same work, each waiting until the accelerator has done it."""

    def waiting(call: Callable) -> Callable:
        return lambda: call().flatten()[0].item()

    return {name: waiting(call) for name, call in work.items()}

"""One image in memory, to score, decision and heat map: milliseconds by model, form and threads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomalylib.deploy import onnx
from anomalylib.detectors.base import Detector
from study.names import LARGER, LARGER_SIZE
from tests.benchmarks.common import Row, Setup, alone, in_turn
from tests.benchmarks.models import MODELS, build, load

LEARNED = {"autoencoder": {"epochs": 1}, "combined": {"epochs": 1}}  # the speed is the same
LARGE = f"patchcore, {LARGER}"
SINGLE, HALF, ONNX = "float32", "bfloat16", "onnxruntime"
IN_ALL_FORMS = ("combined", "patchcore", LARGE)


def measure(setup: Setup) -> list[Row]:
    """Milliseconds of every model in turn, those `IN_ALL_FORMS` also in half and as ONNX."""
    return alone(_latencies, setup)[0]


def _latencies(setup: Setup) -> list[Row]:
    name = setup.categories[0]
    category = load(setup, name)
    image = category.test[0]
    detectors = {
        (model, form): _fitted(setup, model, form).fit(category.train)
        for model in (*MODELS, LARGE)
        for form in ((SINGLE, HALF) if model in IN_ALL_FORMS else (SINGLE,))
    }
    files = {
        model: onnx.to_onnx(detectors[model, SINGLE], setup.scratch / f"{number}.onnx")
        for number, model in enumerate(IN_ALL_FORMS)
    }
    rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        work: dict[tuple[str, str], Callable[[], Any]] = {
            which: lambda detector=detector: detector.inspect(image)
            for which, detector in detectors.items()
        }
        work |= {(model, ONNX): _session(path, image) for model, path in files.items()}
        for (model, form), seconds in in_turn(work, setup.repeats(30)).items():
            row = {"category": name, "model": model, "form": form, "threads": threads}
            rows.append(row | {"milliseconds": [1000 * value for value in seconds]})
    return rows


def _fitted(setup: Setup, model: str, form: str) -> Detector:
    changes: dict[str, Any] = dict(LEARNED.get(model, {}))
    if model == LARGE:
        model, changes = "patchcore", {"image_size": 96 if setup.quick else LARGER_SIZE}
    if form == HALF:
        changes["precision"] = form
    return build(setup, model, changes, setup.scratch)


def _session(path: Path, image: np.ndarray) -> Callable[[], Any]:
    """The file's score and map of the image, on as many threads as torch has now."""
    session = onnx._opened(path)
    return lambda: session.run(["score", "map"], {"images": image[None]})

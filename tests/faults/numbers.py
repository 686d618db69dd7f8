"""Numbers that are none: weights of NaN, features beyond half precision, training that fails."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from anomalylib.detectors.pooled import Pooled
from anomalylib.errors import UserError
from anomalylib.features.cache import features_of
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_category
from study.runs.controls import random_resnet50
from tests.faults import common, kills
from tests.faults.common import Setup, Tried

SPOILT = {"nan": torch.nan, "inf": torch.inf, "large": 1e30, "beyond half": 3e5}


def spoilt_features(setup: Setup) -> Tried:
    """Backbones whose features are NaN, infinite, or beyond what is kept of them"""
    folder = setup.folder("spoilt")
    train = load_category(kills.noise(folder / "images", 3), "bolt").train
    sound = random_resnet50(folder, 0)
    clear = 0
    for name, factor in SPOILT.items():
        path = _spoilt(sound, folder / f"{name}.safetensors", factor)
        extractor = FeatureExtractor(
            resolve_backbone("resnet50", str(path), "layer1"), image_size=64
        )
        said = _refusal(lambda made=extractor: features_of(made, train, folder / "cache"))
        clear += "backbone resnet50" in said and "train/good/000.png" in said
    left = [path for path in (folder / "cache").iterdir() if path.suffix != ".lock"]
    lost = len(SPOILT) - clear + len(left)
    said = f"{clear} refused in one line that names backbone and image, nothing kept"
    return Tried(len(SPOILT), said, lost)


def spoilt_scores(setup: Setup) -> Tried:
    """Models whose scores are NaN or infinite, for every image or for one"""
    folder = setup.folder("scores")
    category = load_category(kills.noise(folder / "images", 3), "bolt")
    path = random_resnet50(folder, 0)
    extractor = FeatureExtractor(resolve_backbone("resnet50", str(path), "layer1"), image_size=64)
    tried = 0
    clear = 0
    for value in (np.nan, np.inf, -np.inf):
        for number in (0, 2):
            detector = Pooled(extractor, cache=folder / "cache").fit(category.train)

            def spoilt(inputs, maps=detector.maps, value=value, number=number):
                for at, whole in enumerate(np.concatenate(list(maps(inputs)))):
                    yield np.full_like(whole, value)[None] if at == number else whole[None]

            detector.maps = spoilt
            for call in (detector.score_samples, detector.predict):
                tried += 1
                said = _refusal(lambda call=call: call(category.test))
                clear += category.test.names[number] in said
    return Tried(tried, f"{clear} refused in one line, none called normal", tried - clear)


def spoilt_weights_in_a_study(setup: Setup) -> Tried:
    """`make book` with weights of NaN"""
    study = setup.study("spoilt-study")
    path = _spoilt(random_resnet50(study, 0), study / "nan.safetensors", torch.nan)
    own = {"backbone": "auto", "weights": str(path), "layers": "layer1"}
    done = common.run(study, "book", *common.small(**own))
    clear = done.is_one_line and "backbone resnet50" in done.last
    without = ("autoencoder", "data")  # which need no backbone
    made = [n for n in common.results_of(study) if not Path(n).name.startswith(without)]
    return Tried(1, "ended with one line, no result of them", (not clear) + len(made))


FAULTS = (spoilt_features, spoilt_scores, spoilt_weights_in_a_study)


def _spoilt(sound: Path, path: Path, factor: float) -> Path:
    """The weights with one batch norm multiplied."""
    tensors = safetensors.torch.load_file(sound)
    tensors["layer1.2.bn3.weight"] = torch.full_like(tensors["layer1.2.bn3.weight"], factor)
    safetensors.torch.save_file(tensors, path)
    return path


def _refusal(call: Callable[[], object]) -> str:
    """What is said, if it is a refusal of one line."""
    try:
        call()
    except UserError as error:
        return "" if "\n" in str(error) else str(error)
    return ""

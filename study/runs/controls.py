"""What a comparison must rule out: brightness, file size, untrained features."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from anomalylib.files import written_whole
from anomalylib.images.category import Category, ImageSet, mean_grey


def greys(images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean grey value of each image, and its contrast, their standard deviation: (N,) each."""
    pairs = []
    for i in range(len(images)):
        image = images[i]  # (H, W, 3), decoded once
        pairs.append((image.mean(), image.mean(axis=-1).std()))
    mean, contrast = np.array(pairs).T
    return mean, contrast


def file_size(images: ImageSet) -> np.ndarray:
    """Bytes of each image's file, shape (N,): how hard it is to compress."""
    return np.array([float(path.stat().st_size) for path in images.paths])


@dataclass(frozen=True)
class BrightnessNormalised(ImageSet):
    """The same images, each multiplied so that its mean grey value is `level`, but for rounding."""

    level: float = 128.0  # of 0 to 255

    def __getitem__(self, index: int) -> np.ndarray:
        image = super().__getitem__(index)  # (H, W, 3)
        scaled = image * (self.level / max(image.mean(), 1e-6))
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the images before matching, and of the level."""
        matched = f"{ImageSet.fingerprint.func(self)} grey {self.level!r}"
        return hashlib.sha256(matched.encode()).hexdigest()


def brightness_normalised(category: Category, level: float | None = None) -> Category:
    """A category whose images all have one mean grey value, by default that of its training set."""
    level = float(mean_grey(category.train).mean()) if level is None else level

    def match(images: ImageSet) -> BrightnessNormalised:
        own = {field.name: getattr(images, field.name) for field in fields(ImageSet)}
        return BrightnessNormalised(**own, level=level)

    return replace(category, train=match(category.train), test=match(category.test))


def random_resnet50(folder: Path, seed: int) -> Path:
    """The file, in a folder, of a ResNet-50 through layer3 with torchvision's initial weights."""
    import safetensors.torch
    import torch
    import torchvision

    path = folder / f"resnet50-untrained-seed{seed}.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tensors = torchvision.models.resnet50(weights=None).state_dict()
    parts = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.")
    kept = {name: tensor for name, tensor in tensors.items() if name.startswith(parts)}
    with written_whole(path) as beside:
        beside.write_bytes(safetensors.torch.save(kept))
    return path

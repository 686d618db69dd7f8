"""Images drawn for the tests of the library, every detector on them, and small programs."""

import numpy as np
import torch

from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled

RANDOM = np.random.default_rng(0)
NORMAL = [np.clip(RANDOM.normal(120, 8, (64, 64, 3)), 0, 255).astype(np.uint8) for _ in range(8)]


def spoiled(image):
    """The image with a black and white patch in its middle."""
    image = image.copy()
    image[24:40, 24:40] = 255 * (np.indices((16, 16)).sum(axis=0) // 2 % 2)[..., None]
    return image


def every_detector(extractor, **settings):
    """Every detector by its name in the registry, not fitted, small."""
    return {
        "autoencoder": Autoencoder(side=64, epochs=3, code=8, seed=1, **settings),
        "resnet": Pooled(extractor, seed=1, **settings),
        "combined": Combined(extractor, epochs=3, latent=4, seed=1, **settings),
        "patchcore": PatchCore(extractor, coreset=0.2, seed=1, **settings),
    }


class Pair(torch.nn.Module):
    """Maps of two convolutions with means; by default those of ResNet-50 of He et al."""

    def __init__(self, channels=(512, 1024), strides=(8, 2), means=(0.83, 1.37)):
        super().__init__()
        (a, b), (s, t) = channels, strides
        self.first = torch.nn.Conv2d(3, a, s, s)
        self.second = torch.nn.Conv2d(a, b, t, t, groups=a)
        first = torch.nn.init.constant_(self.first.bias, means[0])  # (a,): its map of zeros
        with torch.no_grad():
            before = self.second.weight.sum((1, 2, 3)) * first.repeat_interleave(b // a)  # (b,)
            self.second.bias.copy_(means[1] - before)

    def forward(self, x):
        first = self.first(x).relu()
        return first, self.second(first).relu()


def saved_program(model, path, size=64):
    sizes = {"x": {0: torch.export.Dim("batch", min=1, max=64)}}
    example = (torch.zeros(2, 3, size, size),)
    torch.export.save(torch.export.export(model.eval(), example, dynamic_shapes=sizes), path)
    return str(path)

"""Images drawn for the tests of the library, and every detector on them."""

import numpy as np

from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.knn_reconstruction import KNNReconstruction
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
        "knn_reconstruction": KNNReconstruction(
            extractor, bank=60, dimensions=9, neighbours=5, seed=1, **settings
        ),
    }

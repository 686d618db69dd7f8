import numpy as np
import pytest
import torch

from anomalylib.deploy.resizing import resized
from anomalylib.images.category import resize

SIZES = [(64, 64), (40, 31), (64, 129), (301, 200), (1, 700), (100, 75), (700, 30), (136, 100)]
RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("height, width", SIZES)
def test_the_resize_is_that_of_the_library_bit_for_bit(height, width):
    noise = RANDOM.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    edges = 255 * RANDOM.integers(0, 2, (1, height, width, 3), dtype=np.uint8)
    images = np.concatenate([noise, edges])
    given = resized(torch.from_numpy(images), 64)
    assert given.dtype == torch.uint8
    assert np.array_equal(given.numpy(), np.stack([resize(image, 64) for image in images]))

import numpy as np
import pytest
import torch

from anomalylib.detectors.autoencoder import Autoencoder, ImageError
from tests.anomalylib.drawn import NORMAL


def test_the_map_is_the_squared_error_in_units_of_white():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    error = ImageError(torch.nn.Identity(), epochs=1)
    assert error.scaled(images).flatten().tolist() == pytest.approx([0, 0.2, 1])
    error.network = torch.nn.Conv2d(3, 3, 1, bias=False)
    torch.nn.init.zeros_(error.network.weight)
    assert error(images).item() == pytest.approx((0.2**2 + 1) / 3)


def test_it_can_be_watched_while_it_learns():
    seen = {}

    def watch(epoch, detector):
        seen[epoch] = detector.anomaly_maps(NORMAL[:1])

    detector = Autoencoder(side=64, epochs=3, on_epoch=watch).fit(NORMAL)
    assert list(seen) == [1, 2, 3]
    assert not np.array_equal(seen[1], seen[3])
    assert np.array_equal(seen[3], detector.anomaly_maps(NORMAL[:1]))
    assert len(detector.losses_) == 3


def test_vectors_are_the_image_very_small():
    detector = Autoencoder(side=64, epochs=1)
    white = [np.full((64, 64, 3), 255, np.uint8)] * 2
    assert np.array_equal(detector.vectors(detector.prepare(white)), np.full((2, 768), 255.0))

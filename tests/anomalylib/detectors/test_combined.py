import numpy as np
import pytest
import torch

from anomalylib.detectors.combined import Combined, channel_moments
from tests.anomalylib.drawn import NORMAL, RANDOM, spoiled


def test_moments_of_channels_against_numpy():
    features = RANDOM.normal(3, 2, (20, 6, 6, 5)).astype(np.float16)
    features[..., 2] = 7  # a channel that never varies
    mean, std = channel_moments(features)
    exact = features.astype(np.float64)
    assert mean.numpy() == pytest.approx(exact.mean(axis=(0, 1, 2)), rel=1e-5)
    expected = exact.std(axis=(0, 1, 2))
    expected[2] = 1
    assert std.numpy() == pytest.approx(expected, rel=1e-5)


def test_combined_finds_the_place(extractor):
    detector = Combined(extractor, epochs=60, latent=4).fit(NORMAL)
    heat = detector.anomaly_maps([spoiled(NORMAL[0])])[0]
    assert heat.shape == (8, 8)
    middle, corners = heat[2:6, 2:6], heat[::7, ::7]
    assert middle.mean() > 2 * corners.mean()


def test_without_scaling_the_loss_is_in_the_features_own_units(extractor):
    scaled = Combined(extractor, epochs=1, latent=4).fit(NORMAL)
    plain = Combined(extractor, epochs=1, latent=4, scale=False).fit(NORMAL)
    features = plain.prepare(NORMAL).astype(np.float32)  # (N, H, W, C)
    unscaled = plain.model_.scaled(torch.from_numpy(features))
    assert np.array_equal(unscaled.numpy(), features.transpose(0, 3, 1, 2))
    spread = scaled.model_.scaled(torch.from_numpy(features)).std(dim=(0, 2, 3))
    varying = features.std(axis=(0, 1, 2)) > 1e-3
    assert spread[torch.from_numpy(varying)].numpy() == pytest.approx(1, abs=0.05)

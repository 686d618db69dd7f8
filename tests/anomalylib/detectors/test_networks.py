from itertools import pairwise

import pytest
import torch
from torch import nn

from anomalylib.detectors.networks import FeatCAE, ImageAutoencoder


def parameters_of(channels, latent, batch_norm):
    """Count by hand: a convolution a->b has ab + b, batch norm on b has 2b."""
    hidden = (channels + 2 * latent) // 2
    widths = [channels, hidden, 2 * latent, latent, 2 * latent, hidden, channels]
    convolutions = sum(a * b + b for a, b in pairwise(widths))
    norms = 2 * 2 * (hidden + 2 * latent) if batch_norm else 0
    return convolutions + norms


@pytest.mark.parametrize(
    ("channels", "latent", "batch_norm"),
    [(1000, 50, True), (1536, 50, True), (512, 50, False), (7, 2, True)],
)
def test_featcae_has_the_specified_parameters(channels, latent, batch_norm):
    model = FeatCAE(channels, latent, batch_norm)
    count = sum(p.numel() for p in model.parameters())
    assert count == parameters_of(channels, latent, batch_norm)


def test_featcae_layers_stand_in_the_specified_order():
    model = FeatCAE(1536, 50)
    half = ["Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d", "ReLU", "Conv2d"]
    assert [type(layer).__name__ for layer in model.encoder] == half
    assert [type(layer).__name__ for layer in model.decoder] == half
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    shapes = [(c.in_channels, c.out_channels, c.kernel_size) for c in convolutions]
    pairs = [(1536, 818), (818, 100), (100, 50), (50, 100), (100, 818), (818, 1536)]
    assert shapes == [(a, b, (1, 1)) for a, b in pairs]


def test_featcae_defaults_are_those_of_the_report():
    first, last = FeatCAE().encoder[0], FeatCAE().encoder[-1]
    assert (first.in_channels, last.out_channels) == (1000, 50)


def test_featcae_looks_at_each_place_alone():
    model = FeatCAE(6, 2).eval()
    x = torch.randn(1, 6, 3, 3)
    changed = x.clone()
    changed[0, :, 1, 1] += 1
    differs = (model(x) != model(changed)).any(dim=1)[0]
    assert differs[1, 1]
    assert differs.sum() == 1


@pytest.mark.parametrize("size", [128, 160, 256])
def test_image_autoencoder_returns_an_image_through_a_short_code(size):
    model = ImageAutoencoder(size, code=5)
    x = torch.rand(2, 3, size, size)
    assert model.encoder(x).shape == (2, 5)
    assert model(x).shape == x.shape
    assert model(x).min() >= 0 and model(x).max() <= 1

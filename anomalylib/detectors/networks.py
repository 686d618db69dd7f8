"""The two networks that are trained: FeatCAE and the image autoencoder."""

from itertools import pairwise

import torch
from torch import nn


class FeatCAE(nn.Module):
    """A stack of 1x1 convolutions that squeezes each feature vector and restores it.

    With C input channels, d latent channels and h = (C + 2d) // 2, the encoder
    is C, h, 2d, d and the decoder d, 2d, h, C; batch norm and ReLU follow
    each convolution but the last of either.

    Parameters
    ----------
    channels : int
        C, channels of the feature maps.
    latent : int
        d, channels of the code.
    batch_norm : bool
        Whether batch norm follows the hidden convolutions.

    References
    ----------
    Shi, Yang, Qi, "Unsupervised anomaly segmentation via deep feature
    reconstruction", Neurocomputing 2021.
    """

    def __init__(self, channels: int = 1000, latent: int = 50, batch_norm: bool = True):
        super().__init__()
        hidden = (channels + 2 * latent) // 2
        self.encoder = nn.Sequential(
            *_step(channels, hidden, batch_norm),
            *_step(hidden, 2 * latent, batch_norm),
            nn.Conv2d(2 * latent, latent, kernel_size=1),
        )
        self.decoder = nn.Sequential(
            *_step(latent, 2 * latent, batch_norm),
            *_step(2 * latent, hidden, batch_norm),
            nn.Conv2d(hidden, channels, kernel_size=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct feature maps: (N, C, H, W) to (N, C, H, W)."""
        code = self.encoder(x)  # (N, d, H, W)
        return self.decoder(code)  # (N, C, H, W)


def _step(inputs: int, outputs: int, batch_norm: bool) -> list[nn.Module]:
    """1x1 convolution, batch norm where wanted, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel_size=1)
    norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
    return [convolution, *norm, nn.ReLU()]


class ImageAutoencoder(nn.Module):
    """Squeeze an image into a short code and draw it again.

    Five strided 4x4 convolutions halve the grid, a linear layer makes the code,
    and the mirror image of both restores the pixels.

    Parameters
    ----------
    image_size : int
        S, side in pixels, a multiple of 32; the last grid has S / 32 cells a side.
    code : int
        Numbers in the bottleneck.
    """

    WIDTHS = (32, 64, 128, 128, 256)

    def __init__(self, image_size: int = 128, code: int = 64):
        super().__init__()
        grid = image_size // 2 ** len(self.WIDTHS)
        widths = (3, *self.WIDTHS)
        down = [
            layer
            for inputs, outputs in pairwise(widths)
            for layer in (nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.ReLU())
        ]
        up = [
            layer
            for inputs, outputs in zip(widths[:0:-1], widths[-2::-1], strict=True)
            for layer in (nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1))
        ]
        flat = widths[-1] * grid * grid
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, code))
        self.decoder = nn.Sequential(
            nn.Linear(code, flat), nn.Unflatten(1, (widths[-1], grid, grid)), *up, nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct images in 0 to 1: (N, 3, S, S) to (N, 3, S, S)."""
        code = self.encoder(x)  # (N, code)
        return self.decoder(code)  # (N, 3, S, S)

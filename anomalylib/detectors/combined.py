"""FeatCAE on the features of a frozen backbone: the model *combined*."""

from typing import Annotated

import torch
from pydantic import Field

from anomalylib.detectors.base import FeatureDetector, Tensors, estimator
from anomalylib.detectors.blocks import blocks
from anomalylib.detectors.networks import FeatCAE
from anomalylib.detectors.training import ReconstructionError, fit_reconstruction, row_batches
from anomalylib.devices import CPU, with_doubles
from anomalylib.features.cache import Stored


class FeatureError(ReconstructionError):
    """Squared error of FeatCAE on scaled features: (N, H, W, C) to (N, H, W)."""

    def __init__(
        self,
        network: FeatCAE,
        epochs: int,
        mean: torch.Tensor,
        std: torch.Tensor,
        scale: bool = True,
    ):
        super().__init__(network, epochs)
        self.register_buffer("mean", mean)  # (C,), over the training features
        self.register_buffer("std", std)  # (C,)
        self.scale = scale

    def scaled(self, inputs: torch.Tensor) -> torch.Tensor:
        """Features as the network is shown them: (N, H, W, C) to (N, C, H, W)."""
        x = inputs.float()  # (N, H, W, C)
        if self.scale:
            x = (x - self.mean) / self.std
        return x.permute(0, 3, 1, 2)  # (N, C, H, W), channels last in memory


@estimator
class Combined(FeatureDetector):
    """Reconstruction error of FeatCAE on the feature maps.

    Parameters
    ----------
    features : FeatureExtractor
        FeatCAE learns in its precision, and scores in single precision.
    latent : int
        Channels of the code; see `FeatCAE`.
    batch_norm : bool
        Whether batch norm follows the hidden convolutions.
    scale : bool
        Whether each channel is brought to zero mean and unit variance over the
        training features, so that none dominates the error.
    epochs : int
        Passes over the training images.
    learning_rate : float
        Peak of the one-cycle schedule.
    batch_size : int
        Feature vectors per step; see `row_batches`.
    top_k, sigma, seed, cache, keep
        See `Detector`. Of ``losses_``, 1 is what predicting the mean gives.
    """

    latent: Annotated[int, Field(ge=1, le=2048)] = 50
    batch_norm: bool = True
    scale: bool = True
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 4
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-2
    batch_size: Annotated[int, Field(ge=2, le=2**16)] = 512

    def _learn(self, inputs: Stored) -> Tensors:
        mean, std = channel_moments(inputs, with_doubles(self.device_))  # (C,) each
        return fit_reconstruction(
            lambda: self._module({"mean": mean, "std": std}),
            row_batches(inputs, self.batch_size),
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            seed=self.seed,
            precision=self.features.precision,
            device=self.device_,
        )

    def _module(self, learned: Tensors) -> FeatureError:
        mean, std = learned["mean"], learned["std"]  # (C,) each
        network = FeatCAE(len(mean), self.latent, self.batch_norm)
        return FeatureError(network, self.epochs, mean.clone(), std.clone(), self.scale)


def channel_moments(
    features: Stored, device: torch.device = CPU
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation (C,) of each channel of (N, H, W, C); 1 where it never varies."""
    count, height, width, channels = features.shape
    total, squares = torch.zeros(2, channels, dtype=torch.float64, device=device)
    for block in blocks(features):
        rows = torch.as_tensor(block, device=device).view(-1, channels).double()  # (n*H*W, C)
        total += rows.sum(dim=0)
        squares += rows.square_().sum(dim=0)
    mean = total / (count * height * width)
    std = (squares / (count * height * width) - mean**2).clamp(min=0).sqrt()
    std[std == 0] = 1
    return mean.float(), std.float()

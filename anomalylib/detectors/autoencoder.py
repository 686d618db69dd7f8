"""Squared error of an autoencoder on the image itself: the model *autoencoder*."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from anomalylib.detectors.base import Detector, Tensors, estimator
from anomalylib.detectors.blocks import Images
from anomalylib.detectors.networks import ImageAutoencoder
from anomalylib.detectors.training import ReconstructionError, fit_reconstruction, image_batches
from anomalylib.devices import resolve_device
from anomalylib.features.cache import Stored, pixels_of
from anomalylib.images.category import load_batch

SMALL = 16  # pixels a side by which images are told alike


class ImageError(ReconstructionError):
    """Squared error of an image autoencoder: (N, S, S, 3), uint8, to (N, S, S)."""

    def scaled(self, inputs: torch.Tensor) -> torch.Tensor:
        """Images in 0 to 1: (N, S, S, 3), uint8, to (N, 3, S, S)."""
        return inputs.permute(0, 3, 1, 2) / 255


@estimator
class Autoencoder(Detector):
    """Squared error of an image autoencoder, per pixel.

    Parameters
    ----------
    side : int
        Pixels a side to which images are brought.
    code : int
        Numbers in the bottleneck; see `ImageAutoencoder`.
    epochs : int
        Passes over the training images.
    learning_rate : float
        Peak of the one-cycle schedule.
    batch_size : int
        Images per step.
    precision : str
        Of the network's products while it learns: ``"float32"`` or ``"bfloat16"``.
    device : str
        Where it computes: see `resolve_device`.
    on_epoch : callable, optional
        Told each epoch's number and this detector, so that a study may watch
        its maps change during training. Nothing is kept then.
    top_k, sigma, seed, cache, keep
        See `Detector`.
    """

    side: Annotated[int, Field(ge=32, le=1024, multiple_of=32)] = 128
    code: Annotated[int, Field(ge=1, le=4096)] = 64
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 40
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 16
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = "auto"
    on_epoch: Callable[[int, "Autoencoder"], None] | None = None

    @property
    def device_(self) -> torch.device:
        """Where it computes."""
        return resolve_device(self.device)

    def prepare(self, images: Images) -> Stored:
        """The images at one size: (N, S, S, 3), uint8."""
        return pixels_of(images, self.side, self.cache)

    def vectors(self, inputs: Stored) -> np.ndarray:
        """The image itself, very small, (N, D)."""
        small = load_batch(inputs, 0, len(inputs), SMALL)  # (N, s, s, 3)
        return small.reshape(len(small), -1).astype(np.float32)

    def _learn(self, inputs: Stored) -> Tensors:
        return fit_reconstruction(
            self._module,
            image_batches(inputs, self.batch_size),
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            seed=self.seed,
            precision=self.precision,
            device=self.device_,
            on_epoch=self.on_epoch and self._report,
        )

    def _module(self, learned: Tensors | None = None) -> ImageError:
        return ImageError(ImageAutoencoder(self.side, self.code), self.epochs)

    def _report(self, epoch: int, model: ImageError) -> None:
        self.model_ = model
        self.on_epoch(epoch, self)

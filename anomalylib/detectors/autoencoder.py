"""The arm autoencoder: squared error of an autoencoder on the image itself."""

from collections.abc import Iterator

import numpy as np
import torch

from anomalylib.detectors.base import Detector, Images, Tensors, blocks
from anomalylib.detectors.networks import ImageAutoencoder
from anomalylib.detectors.training import (
    as_pixels,
    fit_reconstruction,
    image_batches,
    restored,
)
from anomalylib.features import cache

SMALL = 16
"""Pixels a side by which images are told alike."""


class Autoencoder(Detector):
    """Squared error of an image autoencoder, per pixel.

    Parameters
    ----------
    image_size, code : int
        See `ImageAutoencoder`.
    epochs, learning_rate
        See `fit_reconstruction`.
    batch_size : int
        Images per step.
    on_epoch : callable, optional
        Told each epoch's number and this detector, so that a study may watch
        its maps change during training.
    **settings
        See `Detector`.

    Attributes
    ----------
    losses_ : list of float
        Mean training loss of each epoch.
    """

    def __init__(
        self,
        *,
        image_size=128,
        code=64,
        epochs=40,
        learning_rate=1e-3,
        batch_size=16,
        on_epoch=None,
        **settings,
    ):
        super().__init__(**settings)
        self.on_epoch = on_epoch
        self.keep &= on_epoch is None
        self.image_size = image_size
        self.code = code
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.training = {"epochs": epochs, "learning_rate": learning_rate}
        self.learning = self.training | {"of": (image_size, code, batch_size)}

    @property
    def side(self) -> int:
        """Pixels a side to which images are brought."""
        return self.image_size

    def embed(self, images: Images) -> np.ndarray:
        """The image itself, very small, (N, D)."""
        small = cache.pixels_of(images, SMALL, self.cache_folder)  # (N, s, s, 3)
        return small[:].reshape(len(small), -1).astype(np.float32)

    def _pixels(self, images: Images) -> cache.Stored:
        return cache.pixels_of(images, self.image_size, self.cache_folder)  # (N, S, S, 3)

    def _model(self) -> ImageAutoencoder:
        return ImageAutoencoder(self.image_size, self.code)

    def _learn(self, images: Images) -> Tensors:
        return fit_reconstruction(
            self._model,
            image_batches(self._pixels(images), self.batch_size),
            seed=self.seed,
            on_epoch=self.on_epoch and self._report,
            **self.training,
        )

    def _take(self, learned: Tensors) -> None:
        self.model_, self.losses_ = restored(self._model, learned)

    def _report(self, epoch: int, model: ImageAutoencoder) -> None:
        self.model_ = model
        self.on_epoch(epoch, self)

    @torch.inference_mode()
    def _maps(self, images: Images) -> Iterator[np.ndarray]:
        """Squared error, mean over colours: (n, S, S)."""
        for block in blocks(self._pixels(images)):
            pixels = as_pixels(block)  # (n, 3, S, S)
            error = (self.model_(pixels) - pixels).square()  # (n, 3, S, S)
            yield error.mean(dim=1).numpy()  # (n, S, S)

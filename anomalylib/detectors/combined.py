"""The combined arm: FeatCAE on the features of a frozen backbone."""

from collections.abc import Iterator

import numpy as np
import torch

from anomalylib.detectors.base import FeatureDetector, Images, Tensors, blocks
from anomalylib.detectors.networks import FeatCAE
from anomalylib.detectors.training import fit_reconstruction, restored, row_batches
from anomalylib.features.cache import Stored
from anomalylib.features.extractor import FeatureExtractor


class Combined(FeatureDetector):
    """Reconstruction error of FeatCAE on the feature maps.

    Each channel is scaled to zero mean and unit variance over the training
    features, so that no channel dominates the error; without `scale` the
    network sees them as they are.

    Parameters
    ----------
    extractor : FeatureExtractor
        FeatCAE learns in its precision, and judges in single precision.
    latent, batch_norm
        See `FeatCAE`.
    scale : bool
        Whether the channels are scaled.
    epochs, learning_rate
        See `fit_reconstruction`.
    batch_size : int
        Feature vectors per step; see `row_batches`.
    **settings
        See `Detector`.

    Attributes
    ----------
    losses_ : list of float
        Mean training loss of each epoch; 1 is what predicting the mean gives.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        latent=50,
        batch_norm=True,
        scale=True,
        epochs=4,
        learning_rate=1e-2,
        batch_size=512,
        **settings,
    ):
        super().__init__(extractor, **settings)
        self.latent = latent
        self.batch_norm = batch_norm
        self.scale = scale
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.training = {"epochs": epochs, "learning_rate": learning_rate}
        self.learning |= self.training | {"of": (latent, batch_norm, scale, batch_size)}

    def _scaled(self, block: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(block).float()  # (n, H, W, C)
        if self.scale:
            x = x.sub_(self.mean_).div_(self.std_)
        return x.permute(0, 3, 1, 2)  # (n, C, H, W), channels last in memory

    def _model(self) -> FeatCAE:
        return FeatCAE(len(self.mean_), self.latent, self.batch_norm)

    def _learn(self, images: Images) -> Tensors:
        features = self.features(images)  # (N, H, W, C)
        self.mean_, self.std_ = channel_moments(features)  # (C,) each
        trained = fit_reconstruction(
            self._model,
            row_batches(features, self.batch_size, self._scaled),
            seed=self.seed,
            precision=self.extractor.precision,
            **self.training,
        )
        return trained | {"mean": self.mean_, "std": self.std_}

    def _take(self, learned: Tensors) -> None:
        self.mean_, self.std_ = learned["mean"], learned["std"]  # (C,) each
        self.model_, self.losses_ = restored(self._model, learned)

    @torch.inference_mode()
    def _maps(self, images: Images) -> Iterator[np.ndarray]:
        """Squared error, mean over channels: (n, H, W)."""
        for block in blocks(self.features(images)):
            x = self._scaled(block)  # (n, C, H, W)
            error = (self.model_(x) - x).square_()  # (n, C, H, W)
            yield error.mean(dim=1).numpy()  # (n, H, W)


def channel_moments(features: Stored) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel over images and places.

    Parameters
    ----------
    features : FileArray or ndarray, shape (N, H, W, C)

    Returns
    -------
    mean, std : Tensor, shape (C,), float32
        A channel that never varies gets a deviation of 1.
    """
    count, height, width, channels = features.shape
    total, squares = torch.zeros(2, channels, dtype=torch.float64)
    for block in blocks(features):
        rows = torch.from_numpy(block).view(-1, channels).double()  # (n*H*W, C)
        total += rows.sum(dim=0)
        squares += rows.square_().sum(dim=0)
    mean = total / (count * height * width)
    std = (squares / (count * height * width) - mean**2).clamp(min=0).sqrt()
    std[std == 0] = 1
    return mean.float(), std.float()

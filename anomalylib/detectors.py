"""The arms of the ablation behind one small interface."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from anomalylib import cache
from anomalylib.data import load_batch
from anomalylib.errors import StudyError
from anomalylib.extractor import FeatureExtractor
from anomalylib.models import FeatCAE, ImageAutoencoder
from anomalylib.thresholds import MeanPlusSigma
from anomalylib.training import fit_reconstruction

Images = Sequence[np.ndarray]
BLOCK = 16  # images per scoring step


def aggregate(maps: np.ndarray, top_k: int) -> np.ndarray:
    """Score of each image: the mean of the `top_k` largest values of its map.

    A map of fewer cells is averaged whole. Shape (N, H, W) to (N,).
    """
    flat = maps.reshape(len(maps), -1)  # (N, H*W)
    k = min(top_k, flat.shape[1])
    return np.partition(flat, -k, axis=1)[:, -k:].mean(axis=1)


class Detector(ABC):
    """An arm: learns from normal images, scores new ones.

    Images are a sequence of (H, W, 3) `uint8` arrays of any size; each arm
    resizes and normalises them itself. Scores are higher for more anomalous
    images, the opposite of scikit-learn's `score_samples`.

    Parameters
    ----------
    top_k : int
        The score is the mean of the `top_k` largest map values.
    sigma : float
        The threshold is mean + `sigma` deviations of the nominal scores.
    seed : int
        Of every random choice.

    Attributes
    ----------
    nominal_scores_ : ndarray, shape (N,)
        Scores of the training images. Arms that keep training data judge each
        training image without its own.
    threshold_ : float
        Scores above it are called anomalous.
    """

    def __init__(self, *, top_k: int = 10, sigma: float = 3.0, seed: int = 0):
        self.top_k = top_k
        self.sigma = sigma
        self.seed = seed

    def fit(self, images: Images) -> "Detector":
        """Learn from normal images only."""
        if len(images) < 2:
            raise StudyError(f"{len(images)} training images: at least 2 are needed")
        self._fit(images)
        self.nominal_scores_ = aggregate(self._nominal_maps(images), self.top_k)
        rule = MeanPlusSigma(sigma=self.sigma).fit(self.nominal_scores_)
        self.threshold_ = rule.threshold_
        return self

    @abstractmethod
    def _fit(self, images: Images) -> None: ...

    @abstractmethod
    def anomaly_maps(self, images: Images) -> np.ndarray:
        """How anomalous each place is: (N, H, W) on the arm's own grid."""

    def _nominal_maps(self, images: Images) -> np.ndarray:
        """Maps of the training images, for the threshold."""
        return self.anomaly_maps(images)

    def score_samples(self, images: Images) -> np.ndarray:
        """Score of each image, shape (N,): its map, aggregated."""
        return aggregate(self.anomaly_maps(images), self.top_k)

    def predict(self, images: Images) -> np.ndarray:
        """Whether each image is anomalous, shape (N,), bool."""
        return self.score_samples(images) > self.threshold_


class AutoencoderDetector(Detector):
    """Squared error of an image autoencoder, per pixel.

    Parameters
    ----------
    image_size, code : int
        See `ImageAutoencoder`.
    epochs, learning_rate, batch_size
        See `fit_reconstruction`.
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
        self.image_size = image_size
        self.code = code
        self.training = {
            "epochs": epochs,
            "learning_rate": learning_rate,
            "batch_size": batch_size,
        }

    def _pixels(self, images: Images, start: int, stop: int) -> torch.Tensor:
        batch = load_batch(images, start, stop, self.image_size)  # (n, S, S, 3)
        return torch.from_numpy(batch).permute(0, 3, 1, 2) / 255  # (n, 3, S, S)

    def _fit(self, images: Images) -> None:
        pixels = self._pixels(images, 0, len(images))  # (N, 3, S, S)
        self.model_, self.losses_ = fit_reconstruction(
            lambda: ImageAutoencoder(self.image_size, self.code),
            lambda chosen: pixels[chosen],
            len(images),
            seed=self.seed,
            on_epoch=self.on_epoch and self._report,
            **self.training,
        )

    def _report(self, epoch: int, model: ImageAutoencoder) -> None:
        self.model_ = model
        self.on_epoch(epoch, self)

    @torch.inference_mode()
    def anomaly_maps(self, images: Images) -> np.ndarray:
        """Squared error, mean over colours: (N, S, S)."""
        maps = []
        for start in range(0, len(images), BLOCK):
            pixels = self._pixels(images, start, start + BLOCK)  # (n, 3, S, S)
            error = (self.model_(pixels) - pixels).square()  # (n, 3, S, S)
            maps.append(error.mean(dim=1).numpy())  # (n, S, S)
        return np.concatenate(maps)


class FeatureDetector(Detector):
    """What the arms on pretrained features share.

    Parameters
    ----------
    extractor : FeatureExtractor
    cache_folder : Path
        Where the features of an `ImageSet` are kept.
    **settings
        See `Detector`.
    """

    def __init__(
        self, extractor: FeatureExtractor, *, cache_folder: Path = cache.FOLDER, **settings
    ):
        super().__init__(**settings)
        self.extractor = extractor
        self.cache_folder = cache_folder

    def features(self, images: Images) -> np.ndarray:
        """Feature maps, (N, C, H, W), float16; memory-mapped where cached."""
        return cache.features_of(self.extractor, images, self.cache_folder)


class ResnetDetector(FeatureDetector):
    """Pooled features: distance to the nearest nominal image.

    Its map has a single cell, since pooling has dropped the place.
    """

    def _pooled(self, images: Images) -> torch.Tensor:
        blocks = self.features(images)  # (N, C, H, W)
        pooled = [block.astype(np.float32).mean(axis=(1, 2)) for block in blocks]  # each (C,)
        return torch.from_numpy(np.stack(pooled))  # (N, C)

    def _fit(self, images: Images) -> None:
        self.bank_ = self._pooled(images)  # (M, C)

    def anomaly_maps(self, images: Images) -> np.ndarray:
        """Distance to the nearest nominal image: (N, 1, 1)."""
        distance = torch.cdist(self._pooled(images), self.bank_)  # (N, M)
        return distance.amin(dim=1).view(-1, 1, 1).numpy()  # (N, 1, 1)

    def _nominal_maps(self, images: Images) -> np.ndarray:
        distance = torch.cdist(self.bank_, self.bank_)  # (M, M)
        distance.fill_diagonal_(torch.inf)  # the nearest other image
        return distance.amin(dim=1).view(-1, 1, 1).numpy()  # (M, 1, 1)


class CombinedDetector(FeatureDetector):
    """Reconstruction error of FeatCAE on the feature maps.

    Each channel is scaled to zero mean and unit variance over the training
    features, so that no channel dominates the error; without `scale` the
    network sees them as they are.

    Parameters
    ----------
    extractor : FeatureExtractor
    latent, batch_norm
        See `FeatCAE`.
    scale : bool
        Whether the channels are scaled.
    epochs, learning_rate, batch_size
        See `fit_reconstruction`.
    **settings
        See `FeatureDetector`.

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
        epochs=10,
        learning_rate=1e-2,
        batch_size=4,
        **settings,
    ):
        super().__init__(extractor, **settings)
        self.latent = latent
        self.batch_norm = batch_norm
        self.scale = scale
        self.training = {
            "epochs": epochs,
            "learning_rate": learning_rate,
            "batch_size": batch_size,
        }

    def _scaled(self, block: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(block.astype(np.float32))  # (n, C, H, W)
        if self.scale:
            x = (x - self.mean_) / self.std_
        return x.contiguous(memory_format=torch.channels_last)

    def _fit(self, images: Images) -> None:
        features = self.features(images)  # (N, C, H, W)
        self.mean_, self.std_ = channel_moments(features)  # (C, 1, 1) each
        self.model_, self.losses_ = fit_reconstruction(
            lambda: FeatCAE(features.shape[1], self.latent, self.batch_norm),
            lambda chosen: self._scaled(features[chosen]),
            len(images),
            seed=self.seed,
            **self.training,
        )

    @torch.inference_mode()
    def anomaly_maps(self, images: Images) -> np.ndarray:
        """Squared error, mean over channels: (N, H, W)."""
        features = self.features(images)  # (N, C, H, W)
        maps = []
        for start in range(0, len(features), BLOCK):
            x = self._scaled(features[start : start + BLOCK])  # (n, C, H, W)
            error = (self.model_(x) - x).square()  # (n, C, H, W)
            maps.append(error.mean(dim=1).numpy())  # (n, H, W)
        return np.concatenate(maps)


def channel_moments(features: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel over images and places.

    Parameters
    ----------
    features : ndarray, shape (N, C, H, W)

    Returns
    -------
    mean, std : Tensor, shape (C, 1, 1), float32
        A channel that never varies gets a deviation of 1.
    """
    count, channels, height, width = features.shape
    total, squares = np.zeros(channels), np.zeros(channels)
    for block in features:
        rows = block.reshape(channels, -1).astype(np.float64)  # (C, H*W)
        total += rows.sum(axis=1)
        squares += np.square(rows).sum(axis=1)
    places = count * height * width
    mean = total / places
    std = np.sqrt(np.maximum(squares / places - mean**2, 0))
    std[std == 0] = 1
    shape = (channels, 1, 1)
    return torch.tensor(mean).float().view(shape), torch.tensor(std).float().view(shape)

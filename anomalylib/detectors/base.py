"""What all detectors share: one small interface, in scikit-learn's habits."""

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from sklearn.base import BaseEstimator
from torch import nn

from anomalylib.detectors.blocks import (
    Images,
    aggregate,
    blocks,
    cells_in_view,
    finite,
    joined,
)
from anomalylib.detectors.gallery import THUMBNAIL, Gallery, usual_distance
from anomalylib.detectors.thresholds import MeanPlusSigma, Rule
from anomalylib.devices import computing, describe_device, to_numpy
from anomalylib.errors import UserError
from anomalylib.features import cache as kept
from anomalylib.features.cache import Stored
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.images.arrays import as_images
from anomalylib.parameters import check, parameters_of
from anomalylib.sources import code_hash

Tensors = dict[str, torch.Tensor]
ON_SCORES = ("top_k", "sigma")  # parameters on which nothing depends that is learned

estimator = dataclass(kw_only=True, eq=False, repr=False)
"""A constructor that only stores: its parameters are the fields of the class."""


class Verdict(NamedTuple):
    """What a detector says of one image."""

    score: float  # higher = more anomalous
    anomalous: bool  # whether the score is above the threshold
    map: np.ndarray  # (h, w), how anomalous each place is


@estimator
class Detector(BaseEstimator, ABC):
    """Learns from normal images, scores new ones: whatever `as_images` takes, of any size.

    Scores are higher for more anomalous images, the opposite of scikit-learn's
    `score_samples`.

    Parameters
    ----------
    top_k : int
        The score is the mean of the `top_k` largest map values.
    sigma : float
        The threshold is mean + `sigma` deviations of the scores of normal images.
    seed : int
        Of every random choice.
    cache : Path, optional
        Folder of what is computed of an `ImageSet`; by default the user's cache.
    keep : bool
        Whether what is learned of an `ImageSet` is kept there too, and read
        back where the same is to be learned again.

    Attributes
    ----------
    model_ : Module
        Turns prepared images into maps; holds all that was learned.
    normal_scores_ : ndarray, shape (N,)
        Scores of the training images, each compared only with the others where
        a detector keeps patches or images.
    rule_ : MeanPlusSigma, Quantile, Conformal or Given
        Where the threshold comes from.
    bits_ : int
        Of the training images' pixels; those of other images are scaled alike.
    view_ : ndarray, shape (S, S), bool, or None
        What is looked at, where a category has a field of view: maps are 0 elsewhere. A model
        that scores an image as a whole, as *resnet* does, looks at all of it.
    remarks_ : tuple of str
        What to bear in mind, such as that its training images were taken in another light.
    seconds_ : dict of str to float
        Wall time of the last ``fit`` and of the last maps, ``score``.
    """

    top_k: Annotated[int, Field(ge=1, le=4096)] = 10
    sigma: Annotated[float, Field(ge=0, le=100)] = 3.0
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    cache: Path | None = None
    keep: bool = True

    bits_, view_, remarks_ = 8, None, ()
    LOWER = "batch_size"  # the setting that saves memory

    def fit(self, images: Images, y: Any = None) -> "Detector":
        """Learn from normal images only; `y` is ignored, as by scikit-learn."""
        start = time.perf_counter()
        check(type(self), {name: getattr(self, name) for name in parameters_of(type(self))})
        images = as_images(images)
        if len(images) < 2:
            raise UserError(f"{len(images)} training images: at least 2 are needed")
        whole = getattr(images, "whole", images)
        self.bits_, self.remarks_ = whole.bits, ()
        self.view_ = whole.in_view(self.side) if hasattr(whole, "in_view") else None
        inputs = self.prepare(images)
        with computing(self.device_, self.LOWER):
            self.restore(self._kept(images, lambda: self._learn(inputs)))
        self._images, self.gallery_ = images, None
        self.normal_scores_ = self._scores(map(self.seen, self._normal_maps(inputs)), images)
        self.calibrate(MeanPlusSigma(sigma=self.sigma), self.normal_scores_)
        self.seconds_ = {"fit": time.perf_counter() - start}
        return self

    def calibrate(self, rule: Rule, normal_scores: Sequence[float] = ()) -> "Detector":
        """Let another rule set the threshold, from scores (N,) of normal images.

        A rule such as `Conformal` wants images that were not learned from; `Given` needs
        none. A threshold that is no finite number is a `UserError`.
        """
        self.rule_ = copy.copy(rule).finite(normal_scores)
        return self

    @property
    def threshold_(self) -> float:
        """Scores above it are called anomalous."""
        return self.rule_.threshold_

    def anomaly_maps(self, images: Images) -> np.ndarray:
        """How anomalous each place is: (N, H, W) on the detector's own grid."""
        start = time.perf_counter()
        images = self.checked(images)
        maps = joined(self.maps(self.prepare(images)), len(images))
        self.seconds_ = getattr(self, "seconds_", {}) | {"score": time.perf_counter() - start}
        return maps

    def score_maps(self, maps: np.ndarray, images: Images | None = None) -> np.ndarray:
        """Score of each map (N, H, W), shape (N,); `images` are named in an error."""
        return self._scores([maps], range(len(maps)) if images is None else images)

    def score_samples(self, images: Images) -> np.ndarray:
        """Score of each image, shape (N,): its map, aggregated."""
        images = self.checked(images)
        return self._scores(self.maps(self.prepare(images)), images)

    def predict(self, images: Images) -> np.ndarray:
        """Whether each image is anomalous, shape (N,), bool."""
        return self.score_samples(images) > self.threshold_

    def inspect(self, image: Any) -> Verdict:
        """Score one image in memory, such as a camera's: one pass, and nothing is kept of it.

        Parameters
        ----------
        image : array (H, W, 3), uint8, of any size, or what else `as_images` takes as one

        Returns
        -------
        Verdict
            Score and map are those of `score_samples` and `anomaly_maps`.

        Raises
        ------
        UserError
            If it is no image, or several, or its score is no finite number.
        """
        images = self.checked(image)
        if len(images) != 1:
            raise UserError(f"{len(images)} images, not one: score_samples takes several")
        maps = joined(self.maps(self.prepare([images[0]])), 1)  # (1, h, w)
        score = self.score_maps(maps)[0]
        return Verdict(float(score), bool(score > self.threshold_), maps[0])

    def checked(self, images: Images) -> Images:
        """Images of any kind as `prepare` takes them, scaled as the training images were."""
        return as_images(images, self.bits_)

    @torch.inference_mode()
    def maps(self, inputs: Stored) -> Iterator[np.ndarray]:
        """Anomaly maps of prepared images, a few at a time: (n, H, W)."""
        for block in blocks(inputs):
            yield self.seen(self._computed(block))

    def _computed(self, block: np.ndarray | torch.Tensor, **more: Any) -> np.ndarray:
        """Maps (n, H, W) of some prepared images, computed on the device."""
        with computing(self.device_, self.LOWER):
            return to_numpy(self.model_(torch.as_tensor(block, device=self.device_), **more))

    def seen(self, maps: np.ndarray) -> np.ndarray:
        """Maps (n, H, W) with 0 outside the field of view."""
        return maps if self.view_ is None else maps * cells_in_view(self.view_, maps.shape[1:])

    @property
    def losses_(self) -> list[float]:
        """Mean training loss of each epoch, of a detector that trains a network."""
        return self.model_.losses.tolist()

    def restore(self, learned: Tensors) -> None:
        """Set the module that scores, from what was learned: the quick part of `fit`."""
        with torch.random.fork_rng(devices=[]):
            model = self._module(learned).to(memory_format=torch.channels_last)
        model.load_state_dict({name: learned[name] for name in model.state_dict()})
        self.model_ = model.to(self.device_).eval().requires_grad_(False)

    def gallery(self) -> Gallery:
        """The training images, small; made when first asked for."""
        if self.gallery_ is None:
            images = self._images
            vectors = self.vectors(self.prepare(images))
            self.gallery_ = Gallery(
                names=getattr(images, "names", None) or list(map(str, range(len(images)))),
                fingerprint=getattr(images, "fingerprint", None) or kept.pixel_hash(images),
                vectors=vectors,
                thumbnails=kept.pixels_of(images, THUMBNAIL, self.cache)[:],
                usual=usual_distance(vectors),
            )
        return self.gallery_

    def _kept(self, images: Images, learn: Callable[[], Tensors]) -> Tensors:
        """What is learned of the images, from a file where the same was learned before."""
        fingerprint = getattr(images, "fingerprint", None)
        watched = getattr(self, "on_epoch", None) is not None
        if not self.keep or fingerprint is None or watched:
            return learn()
        names = [name for name in parameters_of(type(self)) if name not in ON_SCORES]
        settings = {name: getattr(self, name) for name in names}
        features = self.features.key if hasattr(self, "features") else ""
        code = f"{kept.code()} {code_hash(type(self).__module__)}"
        machine = f"{torch.get_num_threads()} {describe_device(self.device_)}"
        surroundings = f"{features} {machine} {fingerprint} {code}"
        return kept.learned(f"{type(self).__name__} {settings} {surroundings}", learn, self.cache)

    def _scores(self, maps: Iterable[np.ndarray], images: Sequence) -> np.ndarray:
        """Scores (N,) of maps that come a few at a time, (n, H, W)."""
        parts = (aggregate(part, self.top_k) for part in maps)
        return finite(joined(parts, len(images)), images)

    def _normal_maps(self, inputs: Stored) -> Iterator[np.ndarray]:
        """Maps of the training images, for the threshold."""
        return self.maps(inputs)

    @property
    @abstractmethod
    def device_(self) -> torch.device:
        """Where it computes."""

    @property
    @abstractmethod
    def side(self) -> int:
        """Pixels a side to which images are brought."""

    @abstractmethod
    def prepare(self, images: Images) -> Stored:
        """What the model takes of `checked` images: pixels or features, (N, H, W, C)."""

    @abstractmethod
    def vectors(self, inputs: Stored) -> np.ndarray:
        """A vector for each prepared image, (N, D): near ones look alike to the detector."""

    @abstractmethod
    def _learn(self, inputs: Stored) -> Tensors:
        """What is learned, by name: the slow part."""

    @abstractmethod
    def _module(self, learned: Tensors) -> nn.Module:
        """The module that scores, with place for what was learned."""


@estimator
class FeatureDetector(Detector):
    """What the detectors on pretrained features share."""

    IMAGE_SIZE = 224  # pixels a side that the study gives it

    features: FeatureExtractor = field(kw_only=False)

    @property
    def device_(self) -> torch.device:
        """Where it computes: where its features are."""
        return self.features.device

    @property
    def side(self) -> int:
        """Pixels a side to which images are brought."""
        return self.features.image_size

    def prepare(self, images: Images) -> Stored:
        """Feature maps, channels last: (N, H, W, C), float16."""
        return kept.features_of(self.features, images, self.cache)

    def vectors(self, inputs: Stored) -> np.ndarray:
        """The mean feature vector of each image, (N, C)."""
        there = (torch.as_tensor(block, device=self.device_) for block in blocks(inputs))
        means = (to_numpy(block.float().mean(dim=(1, 2))) for block in there)
        return joined(means, len(inputs))  # (N, C)

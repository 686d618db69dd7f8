"""A fitted detector as one file: tensors and their description, nothing that is executed.

The file is of the safetensors format; its metadata hold a JSON text with
everything that is no tensor. It holds no weights of the backbone, but their
hash, and small copies of the training images, so that one can be shown.
"""

import inspect
import json
import math
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

from anomalylib.detectors import thresholds
from anomalylib.detectors.base import Detector, FeatureDetector
from anomalylib.detectors.registry import DETECTORS
from anomalylib.errors import UserError, first_line
from anomalylib.features import cache
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import EXPORTED, RESNETS, Backbone, resolve_backbone
from anomalylib.files import written_whole

THUMBNAIL = 96
"""Pixels a side of the copies of the training images."""
PREPROCESSING = ("image_size", "pool_padding", "normalise", "precision")
"""Settings of the extractor that belong to the file."""
NOT_SETTINGS = {"self", "extractor", "settings", "cache_folder", "keep", "on_epoch"}
PACKAGES = ("anomalylib", "torch", "numpy", "pillow")


class Card(BaseModel):
    """What a file says of the detector in it.

    Parameters
    ----------
    arm : str
        A key of `DETECTORS`.
    settings : dict
        Of the arm's constructor.
    backbone : dict or None
        `Backbone.describe()`, with the SHA-256 of the weights.
    preprocessing : dict
        Settings of `FeatureExtractor`; for the arm on pixels only the size.
    threshold : float
        Scores above it are called anomalous.
    rule : dict
        Name and settings of the threshold rule.
    fingerprint : str
        SHA-256 of the training images.
    images : list of str
        Names of the training images.
    versions : dict
        Of the packages that it was fitted with.
    date : str
        When it was saved, UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["anomalylib detector 1"] = "anomalylib detector 1"
    arm: Literal["autoencoder", "resnet", "combined", "patchcore", "combined_plus"]
    settings: dict[str, Any]
    backbone: dict[str, Any] | None
    preprocessing: dict[str, Any]
    threshold: float
    rule: dict[str, Any]
    fingerprint: str
    images: list[str]
    versions: dict[str, str]
    date: str


def save(detector: Detector, path: Path) -> Path:
    """Write a fitted detector.

    Parameters
    ----------
    detector : Detector
        One of `DETECTORS`, fitted.
    path : Path
        By custom ``….safetensors``.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UserError
        If it is not fitted, its threshold is not finite, or its kind is not one
        of the arms.
    """
    arm = DETECTORS.name_of(type(detector))
    if arm is None:
        raise UserError(f"{type(detector).__name__} is none of the arms: it cannot be saved")
    if not hasattr(detector, "threshold_"):
        raise UserError("this detector has learned nothing yet: fit it before it is saved")
    if not math.isfinite(detector.threshold_):
        raise UserError(f"its threshold is {detector.threshold_}: give its rule more images")
    images, rule = detector.images_, detector.rule_
    card = Card(
        arm=arm,
        settings=settings_of(detector),
        backbone=_backbone(detector),
        preprocessing=_preprocessing(detector),
        threshold=detector.threshold_,
        rule={"name": type(rule).__name__} | {k: v for k, v in vars(rule).items() if k[-1] != "_"},
        fingerprint=fingerprint_of(images),
        images=list(getattr(images, "names", map(str, range(len(images))))),
        versions={name: metadata.version(name) for name in PACKAGES},
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    copies = cache.pixels_of(images, THUMBNAIL, detector.cache_folder)[:]  # (N, s, s, 3)
    tensors = {f"learned.{name}": tensor for name, tensor in detector.learned_.items()}
    tensors["nominal.scores"] = torch.from_numpy(detector.nominal_scores_)
    tensors["nominal.vectors"] = torch.from_numpy(detector.embed(images))
    tensors["nominal.pictures"] = torch.from_numpy(copies)
    held = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    with written_whole(path) as beside:
        safetensors.torch.save_file(held, beside, {"anomalylib": card.model_dump_json()})
    return path


def load(path: str | Path, weights: str = "") -> Detector:
    """Read a detector that `save` has written; it judges as it did then.

    Parameters
    ----------
    path : str or Path
    weights : str
        The backbone's file, where it was given as a file when the detector was
        fitted.

    Returns
    -------
    Detector
        Fitted; its `card_` is the file's `Card`, `nominal_vectors_` and
        `nominal_pictures_` show the training images.

    Raises
    ------
    UserError
        If the file is no detector, or the backbone's weights are not those
        that it was fitted with.
    """
    path = Path(path)
    card, tensors = _read(path)
    kind = DETECTORS[card.arm]
    try:
        if issubclass(kind, FeatureDetector):
            extractor = FeatureExtractor(_same_backbone(path, card, weights), **card.preprocessing)
            detector = kind(extractor, **card.settings)
        else:
            detector = kind(**card.settings)
        learned = {name: t for name, t in tensors.items() if name.startswith("learned.")}
        detector.learned_ = {name.removeprefix("learned."): t for name, t in learned.items()}
        detector._take(detector.learned_)
        detector.rule_ = _rule(card)
        detector.nominal_scores_ = tensors["nominal.scores"].numpy()
        detector.nominal_vectors_ = tensors["nominal.vectors"].numpy()  # (N, D)
        detector.nominal_pictures_ = tensors["nominal.pictures"].numpy()  # (N, s, s, 3)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        why = first_line(error)
        raise UserError(f"{path} does not hold what it says ({why}): save it again") from None
    detector.threshold_ = detector.rule_.threshold_ = card.threshold
    detector.card_ = card
    return detector


def settings_of(detector: Detector) -> dict[str, Any]:
    """The settings that its constructor was given, by name."""
    known = [inspect.signature(kind.__init__).parameters for kind in type(detector).__mro__[:-2]]
    names = {name for parameters in known for name in parameters} - NOT_SETTINGS
    return {name: getattr(detector, name) for name in sorted(names)}


def fingerprint_of(images: Any) -> str:
    """SHA-256 of images: their own, or of their pixels where they have none."""
    own = getattr(images, "fingerprint", None)
    return own if own is not None else cache.pixel_hash(images)


def _preprocessing(detector: Detector) -> dict[str, Any]:
    if not isinstance(detector, FeatureDetector):
        return {"image_size": detector.side}
    return {name: getattr(detector.extractor, name) for name in PREPROCESSING}


def _backbone(detector: Detector) -> dict[str, Any] | None:
    extractor = getattr(detector, "extractor", None)
    return extractor.backbone.describe() if extractor else None


def _read(path: Path) -> tuple[Card, dict[str, torch.Tensor]]:
    """The description and the tensors of a file, checked."""
    if not path.is_file():
        raise UserError(f"no detector at {path}: a notebook of an arm writes one")
    try:
        with safetensors.safe_open(path, "pt") as file:
            said = (file.metadata() or {})["anomalylib"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        card = Card.model_validate_json(said)
    except (SafetensorError, KeyError, ValidationError, json.JSONDecodeError):
        raise UserError(f"{path} is no detector of this version: save it again") from None
    strange = [name for name, tensor in tensors.items() if not _finite(tensor)]
    if strange or not math.isfinite(card.threshold):
        raise UserError(f"{path} holds numbers that are not finite: save it again")
    return card, tensors


def _finite(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() or bool(np.isfinite(tensor.numpy()).all())


def _same_backbone(path: Path, card: Card, weights: str) -> Backbone:
    """The backbone that the detector was fitted with, or an error."""
    said = card.backbone
    name, file, sha256 = said["name"], said["path"], said["sha256"]
    given = name == EXPORTED or (name in RESNETS and file != RESNETS[name])
    if given and not weights:
        which = f"{file}, SHA-256 {sha256[:12]}…"
        raise UserError(f"{path} was fitted with a weights file of its own ({which}): give it too")
    found = resolve_backbone(name, weights, ",".join(said["layers"]), said["chosen"])
    if found.sha256 != sha256:
        other = f"{found.path} has SHA-256 {found.sha256[:12]}…, it was fitted with {sha256[:12]}…"
        raise UserError(f"{path} does not go with these weights ({other}): give {file}")
    return found


def _rule(card: Card) -> Any:
    """The threshold rule, by its name."""
    said = dict(card.rule)
    name = said.pop("name")
    known = {each.__name__: each for each in (thresholds.MeanPlusSigma, thresholds.Quantile)}
    known[thresholds.Conformal.__name__] = thresholds.Conformal
    return known[name](**said)

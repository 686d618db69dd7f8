"""A fitted detector as one file: tensors and their description, nothing that is executed.

The file is of the safetensors format; its metadata hold a JSON text with
everything that is no tensor. It holds no weights of the backbone, but their
hash, and small copies of the training images, so that one can be shown.
"""

import dataclasses
import math
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

from anomalylib.detectors.base import Detector
from anomalylib.detectors.gallery import Gallery
from anomalylib.detectors.registry import DETECTORS
from anomalylib.detectors.thresholds import RULES
from anomalylib.errors import UserError, first_line
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import PROGRAMS, RESNETS, Backbone, resolve_backbone
from anomalylib.files import written_whole
from anomalylib.parameters import parameters_of

PACKAGES = ("anomalylib", "torch", "numpy", "pillow")
NOMINAL = ("scores", "vectors", "thumbnails")  # kept of the training images, besides their names


class Card(BaseModel):
    """What a file says of the detector in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["anomalylib detector 3"] = "anomalylib detector 3"
    model: str  # a key of `DETECTORS`
    settings: dict[str, Any]  # the plain parameters of its constructor
    backbone: dict[str, Any] | None  # `Backbone.describe()`, with the SHA-256 of the weights
    preprocessing: dict[str, Any]  # of `FeatureExtractor`; empty without a backbone
    threshold: float  # scores above it are called anomalous
    rule: str  # a key of `RULES`
    rule_settings: dict[str, Any]  # its parameters
    rule_count: int  # scores that it has learned from
    fingerprint: str  # SHA-256 of the training images
    images: list[str]  # names of the training images
    usual: float  # the largest distance of one of them to its nearest other
    bits: int  # of their pixels
    remarks: list[str]  # what to bear in mind
    versions: dict[str, str]  # of the packages that it was saved with
    date: str  # when it was saved, UTC


def save(detector: Detector, path: str | Path) -> Path:
    """Write a fitted detector, or a loaded one, to a file, and return its path.

    Parameters
    ----------
    detector : Detector
        One of `DETECTORS`, fitted.
    path : str or Path
        By custom ``….safetensors``.

    Raises
    ------
    UserError
        If it is not fitted, its threshold is not finite, or its class is not
        one of `DETECTORS`.
    """
    path, card = Path(path), describe(detector)
    if not math.isfinite(card.threshold):
        raise UserError(f"its threshold is {card.threshold}: give its rule more images")
    gallery = detector.gallery()
    tensors = {f"learned.{name}": tensor for name, tensor in detector.model_.state_dict().items()}
    nominal = (detector.normal_scores_, gallery.vectors, gallery.thumbnails)
    for name, array in zip(NOMINAL, nominal, strict=True):
        tensors[f"nominal.{name}"] = torch.from_numpy(array)
    if detector.view_ is not None:
        tensors["view"] = torch.from_numpy(detector.view_)
    whole = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    with written_whole(path) as beside:
        safetensors.torch.save_file(whole, beside, {"anomalylib": card.model_dump_json()})
    return path


def describe(detector: Detector) -> Card:
    """What a file, a report and an ONNX file say of a fitted detector."""
    kind = type(detector)
    name = DETECTORS.name_of(kind)
    if name is None:
        raise UserError(f"{kind.__name__} is none of {', '.join(DETECTORS)}: it has no file format")
    if not hasattr(detector, "rule_"):
        raise UserError(f"this {kind.__name__} has not learned yet: call its fit first")
    features, gallery = getattr(detector, "features", None), detector.gallery()
    return Card(
        model=name,
        settings=_plain(detector),
        backbone=features and features.backbone.describe(),
        preprocessing=_plain(features) if features else {},
        threshold=detector.threshold_,
        rule=type(detector.rule_).__name__,
        rule_settings=dataclasses.asdict(detector.rule_),
        rule_count=detector.rule_.count_,
        fingerprint=gallery.fingerprint,
        images=gallery.names,
        usual=gallery.usual,
        bits=detector.bits_,
        remarks=list(detector.remarks_),
        versions={name: metadata.version(name) for name in PACKAGES},
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def load(path: str | Path, weights: str = "", device: str = "auto") -> Detector:
    """Read a detector that `save` has written; it scores as it did then.

    Parameters
    ----------
    path : str or Path
    weights : str
        The backbone's file, if it was fitted with one that was given as a file.
    device : str
        Where it scores, wherever it has learned: see `resolve_device`.

    Raises
    ------
    UserError
        If the file is no detector, or the backbone's weights are not those
        that it was fitted with.
    """
    path = Path(path)
    card, tensors = _read(path)
    try:
        kind = DETECTORS[card.model]
        inputs = [_extractor(path, card, weights, device)] if card.backbone else []
        detector = kind(*inputs, **card.settings | ({} if inputs else {"device": device}))
        start = "learned."
        learned = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
        detector.restore(learned)
        scores, vectors, thumbnails = (tensors[f"nominal.{name}"].numpy() for name in NOMINAL)
        detector.normal_scores_ = scores
        detector.gallery_ = Gallery(card.images, card.fingerprint, vectors, thumbnails, card.usual)
        detector.view_ = tensors["view"].numpy() if "view" in tensors else None
        detector.bits_, detector.remarks_ = card.bits, tuple(card.remarks)
        rule = detector.rule_ = RULES[card.rule](**card.rule_settings)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        why = first_line(error)
        raise UserError(f"{path} does not hold what it says ({why}): save it again") from None
    rule.threshold_, rule.count_ = card.threshold, card.rule_count
    return detector


def _plain(thing: Detector | FeatureExtractor) -> dict[str, Any]:
    """The plain parameters of a detector or an extractor, as it has them."""
    return {name: getattr(thing, name) for name in parameters_of(type(thing))}


def _read(path: Path) -> tuple[Card, dict[str, torch.Tensor]]:
    """The description and the tensors of a file, checked."""
    if not path.is_file():
        raise UserError(f"no detector at {path}: `python -m anomalylib fit` writes one")
    try:
        with safetensors.safe_open(path, "pt") as file:
            text = (file.metadata() or {})["anomalylib"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        card = Card.model_validate_json(text)
    except (SafetensorError, KeyError, ValidationError):
        raise UserError(f"{path} is no detector of this version: save it again") from None
    finite = all(t.isfinite().all() for t in tensors.values() if t.is_floating_point())
    if not finite or not math.isfinite(card.threshold):
        raise UserError(f"{path} holds numbers that are not finite: save it again")
    return card, tensors


def _extractor(path: Path, card: Card, weights: str, device: str) -> FeatureExtractor:
    """The extractor that the detector was fitted with, or an error."""
    name, file, sha256 = (card.backbone[key] for key in ("name", "path", "sha256"))
    from_a_file = name in PROGRAMS or (name in RESNETS and file != RESNETS[name])
    if from_a_file and not weights:
        which = f"{file}, SHA-256 {sha256[:12]}…"
        raise UserError(f"{path} was fitted with a weights file of its own ({which}): give it too")
    layers = ",".join(card.backbone["layers"])
    backbone: Backbone = resolve_backbone(name, weights, layers, card.backbone["chosen"])
    if backbone.sha256 != sha256:
        other = f"{backbone.path} has SHA-256 {backbone.sha256[:12]}…"
        raise UserError(
            f"{path} does not go with these weights ({other}, it was fitted with "
            f"{sha256[:12]}…): give {file}"
        )
    return FeatureExtractor(backbone, device=device, **card.preprocessing)

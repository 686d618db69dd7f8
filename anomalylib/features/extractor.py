"""Images to feature maps: a truncated, frozen, hooked backbone."""

from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn
from torch.export.passes import move_to_device_pass
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import ResNet, get_model

from anomalylib.devices import describe_device, resolve_device
from anomalylib.errors import UserError, first_line
from anomalylib.features.exported import load_program
from anomalylib.features.weights import (
    DEFAULT_LAYERS,
    HE,
    LITE0,
    PROGRAMS,
    Backbone,
    load_tensors,
    network_of,
    without_prefix,
)

HE_MAPS = [((1, 512, 8, 8), 0.83), ((1, 1024, 4, 4), 1.37)]
"""Shapes and means of the maps of `HE` where 64 x 64 normalised pixels are zero."""


class FeatureExtractor(nn.Module):
    """Feature maps of chosen layers, pooled, aligned and concatenated.

    Each map goes through a 3x3 average pool and an adaptive average pool to
    the grid of the first map; then all are concatenated along channels. The
    backbone is frozen.

    Parameters
    ----------
    backbone : Backbone
        From `anomalylib.features.weights.resolve_backbone`.
    image_size : int
        Side in pixels of the images it is given.
    pool_padding : int
        Padding of the 3x3 pool: 0 as in the original study, whose pooled grid
        therefore loses its border and is stretched back; 1 keeps the grid.
    normalise : bool
        Whether pixels are normalised as the weights were trained with.
    precision : str
        ``"float32"``, or ``"bfloat16"``, eight significant bits: several times
        faster where the processor has instructions for it.
    device : str
        Where it computes, and the detectors on it: see `resolve_device`.

    Raises
    ------
    UserError
        If a layer does not exist or the weights lack its tensors, a program
        gives other maps than its name says, or another precision is asked of it.

    References
    ----------
    The pooling and alignment are those of PatchCore (Roth et al., CVPR 2022).
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        image_size: Annotated[int, Field(ge=64, le=2048, multiple_of=32)] = 224,
        pool_padding: Annotated[int, Field(ge=0, le=1)] = 0,
        normalise: bool = True,
        precision: Literal["float32", "bfloat16"] = "float32",
        device: str = "auto",
    ):
        super().__init__()
        self.backbone = backbone
        self.image_size = image_size
        self.pool_padding = pool_padding
        self.normalise = normalise
        self.precision = precision
        self.device = resolve_device(device)
        if backbone.name not in PROGRAMS:
            self.trunk = HookedTrunk(backbone).to(getattr(torch, precision))
        elif precision == "float32":
            self.trunk = _exported(backbone, self.device)
        else:
            raise UserError(f"an exported program computes as it was exported: no {precision}")
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1))
        self.resident: dict[str, torch.Tensor] = {}  # features that stay on an accelerator
        self.to(self.device)

    def __deepcopy__(self, memo: dict) -> "FeatureExtractor":
        """Itself: it is frozen, and the hooks of a copy would write into the original."""
        return self

    @property
    def key(self) -> str:
        """Everything that the features depend on besides the images."""
        backbone = self.backbone
        settings = (self.image_size, self.pool_padding, self.normalise, self.precision)
        texts = [backbone.name, backbone.sha256, ",".join(backbone.layers), *map(str, settings)]
        return " ".join([*texts, describe_device(self.device)])

    @torch.inference_mode()
    def forward(self, images: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Features of a batch: (N, S, S, 3), uint8, to (N, C, H, W), on the device."""
        there = torch.as_tensor(images).to(self.device, non_blocking=True)
        return self.feature_maps(there)

    def feature_maps(self, images: torch.Tensor) -> torch.Tensor:
        """What `forward` gives, from a tensor, so that it can be traced."""
        x = images.permute(0, 3, 1, 2)  # (N, 3, S, S)
        x = x / 255
        if self.normalise:
            x = (x - self.mean) / self.std
        x = x.to(getattr(torch, self.precision), memory_format=torch.channels_last)
        maps = [m.float() for m in self.trunk(x)]  # each (N, C_i, H_i, W_i)
        grid = maps[0].shape[-2:]
        pooled = [F.avg_pool2d(m, 3, stride=1, padding=self.pool_padding) for m in maps]
        aligned = [F.adaptive_avg_pool2d(m, grid) for m in pooled]  # each (N, C_i, H, W)
        return torch.cat(aligned, dim=1)  # (N, C, H, W)


class HookedTrunk(nn.Module):
    """The part of a network up to the last layer asked for; hooks keep the maps."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        full = _architecture(backbone.name)
        tensors = load_tensors(backbone)
        if backbone.name == LITE0:
            # The package keeps other names in the same order.
            names = list(full.state_dict())
            if len(names) != len(tensors):
                raise UserError(f"{backbone.path} is not EfficientNet-Lite0: leave WEIGHTS empty")
            tensors = dict(zip(names, tensors.values(), strict=True))
        self.body = _truncate(full, backbone)
        _assign(self.body, tensors, backbone)
        self.body.eval().requires_grad_(False)
        wanted = [self.body.get_submodule(layer) for layer in backbone.layers]
        if isinstance(full, ResNet) and not any(isinstance(m, nn.Conv2d) for m in wanted):
            _fold_batch_norm(self.body)
        self.body.to(memory_format=torch.channels_last)
        self.layers = backbone.layers
        self.maps: dict[str, torch.Tensor] = {}
        for layer in self.layers:
            self.body.get_submodule(layer).register_forward_hook(partial(self._keep, layer))

    def _keep(self, layer: str, module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        self.maps[layer] = output

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The layers' outputs, each (N, C_i, H_i, W_i), for normalised (N, 3, S, S)."""
        self.body(x)
        kept = [self.maps[layer] for layer in self.layers]
        self.maps.clear()
        return kept


def _fold_batch_norm(module: nn.Module) -> None:
    """Multiply each batch norm into the convolution defined before it, as in torchvision's ResNets.

    Both are frozen.
    """
    before = None
    for name, child in list(module.named_children()):
        if isinstance(before, nn.Conv2d) and isinstance(child, nn.BatchNorm2d):
            folded = fuse_conv_bn_eval(before, child)
            before.weight, before.bias = folded.weight, folded.bias
            setattr(module, name, nn.Identity())
        else:
            _fold_batch_norm(child)
        before = child


def _architecture(name: str) -> nn.Module:
    """The whole network without memory for its weights."""
    with torch.device("meta"):
        if name == LITE0:
            import timm

            return timm.create_model("tf_efficientnet_lite0", pretrained=False)
        return get_model(network_of(name)[0], weights=None)


def _truncate(full: nn.Module, backbone: Backbone) -> nn.Sequential:
    """Keep the children, and the blocks in them, up to the last layer asked for.

    Holds for networks whose children run one after the other, as those of
    torchvision's ResNets and timm's EfficientNets do.
    """
    order = [name for name, _ in full.named_modules()]
    children = OrderedDict(full.named_children())
    for layer in backbone.layers:
        if layer not in order or layer in {"", "fc", "classifier"}:
            some = ", ".join(children)
            raise UserError(f"{backbone.name} has no layer {layer!r}; at the top: {some}")
    top, *inner = max(backbone.layers, key=order.index).split(".")
    if len(inner) == 1 and isinstance(children[top], nn.Sequential):
        children[top] = children[top][: int(inner[0]) + 1]
    while next(reversed(children)) != top:
        children.popitem()
    return nn.Sequential(children)


def _assign(body: nn.Module, tensors: dict[str, torch.Tensor], backbone: Backbone) -> None:
    """Load the tensors that the truncated network needs, and no others."""
    needed = body.state_dict()
    counter = "num_batches_tracked"  # unused in eval mode and absent from some files
    wanted = [name for name in needed if not name.endswith(counter)]
    tensors = without_prefix(tensors, wanted, backbone.path)
    missing = [name for name in wanted if name not in tensors]
    if missing:
        layers = " + ".join(backbone.layers)
        lack = f"{backbone.path} lacks {_some(missing)}, which {layers} need"
        if len(missing) == len(wanted):
            raise UserError(f"{lack}; it holds {_some(list(tensors))}: not {backbone.name}'s")
        raise UserError(f"{lack}: ask for fewer LAYERS or give a full file")
    given = {name: tensors.get(name, torch.zeros((), dtype=torch.long)) for name in needed}
    for name, like in needed.items():
        if given[name].shape != like.shape:
            shapes = f"{tuple(given[name].shape)}, not {tuple(like.shape)}"
            raise UserError(f"{backbone.path}: {name} has shape {shapes}: not {backbone.name}'s")
    body.load_state_dict(given, assign=True)


def _some(names: list[str]) -> str:
    """How many tensors, and the first of their names."""
    return f"{len(names)} tensors ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"


def _exported(backbone: Backbone, device: torch.device) -> nn.Module:
    """A `torch.export` program that returns one feature map or several."""
    try:
        exported = load_program(backbone.path)
        program = exported.module()
    except UserError:
        raise
    except Exception as error:  # the loader raises whatever the archive provokes
        why = first_line(error)
        raise UserError(f"{backbone.path} is no exported program ({why})") from None

    if backbone.name == HE:
        _check_pair(program, backbone.path)
        wanted = [DEFAULT_LAYERS[HE].index(layer) for layer in backbone.layers]
    else:
        wanted = [int(number) for number in backbone.layers]
    if device.type != "cpu":
        program = move_to_device_pass(exported, device).module()

    class Maps(nn.Module):
        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            out = program(x.contiguous())
            maps = [out] if isinstance(out, torch.Tensor) else list(out)
            if any(number >= len(maps) for number in wanted):
                raise UserError(f"{backbone.path} returns {len(maps)} maps: no such number")
            return [maps[number] for number in wanted] or maps

    return Maps()


def _check_pair(program: nn.Module, path: Path) -> None:
    """Refuse a program whose maps of one input are not those of `HE`."""
    try:
        with torch.no_grad():
            maps = program(torch.zeros(1, 3, 64, 64))
            found = [(tuple(m.shape), round(m.mean().item(), 2)) for m in maps]
    except Exception as error:  # whatever the program provokes
        found = first_line(error)
    if found != HE_MAPS:
        wrong = f"where 64 x 64 pixels are zero, shapes and means of its maps are {found}"
        raise UserError(f"{path} is not resnet50-he: {wrong}, not {HE_MAPS}")

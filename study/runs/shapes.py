"""The shapes of the data at each station of a model, read off its networks without weights."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet50

from anomalylib.detectors.networks import FeatCAE, ImageAutoencoder

CONVOLUTIONS = {"Conv2d": "convolution", "ConvTranspose2d": "transposed convolution"}


class Step(NamedTuple):
    """One station of the data: what it is called and the shape it has for one image."""

    name: str
    shape: tuple[int, ...]


def shapes_through(network: nn.Module, *shape: int) -> list[tuple[str, tuple[int, ...]]]:
    """Each layer that one input of a shape passes, and the shape of what leaves it.

    Parameters
    ----------
    network : Module
        On the meta device: nothing is computed but shapes.
    *shape : int
        Of the input, without the batch.

    Returns
    -------
    list of (str, tuple of int)
        Class of the layer and the shape without the batch.
    """
    seen: list[tuple[str, tuple[int, ...]]] = []

    def keep(module: nn.Module, inputs, output: torch.Tensor) -> None:
        seen.append((type(module).__name__, tuple(output.shape[1:])))

    for leaf in (module for module in network.modules() if not list(module.children())):
        leaf.register_forward_hook(keep)
    network.eval()(torch.zeros(1, *shape, device="meta"))
    return seen


def autoencoder_steps(size: int = 128, code: int = 64) -> list[Step]:
    """What an image becomes in the image autoencoder, and back."""
    with torch.device("meta"):
        network = ImageAutoencoder(size, code)
    steps = [Step("image", (3, size, size))]
    for kind, shape in shapes_through(network, 3, size, size):
        if kind in CONVOLUTIONS:
            steps.append(Step(CONVOLUTIONS[kind], shape))
        elif kind == "Linear" and shape == (code,):
            steps.append(Step("code", shape))
    steps[-1] = Step("image, drawn again", steps[-1].shape)
    return [*steps, Step("anomaly map: squared error", (1, size, size))]


def feature_steps(size: int = 224) -> tuple[list[Step], tuple[int, ...]]:
    """What an image becomes in the report's backbone: layer2 and layer3, pooled and stacked."""
    with torch.device("meta"):
        network = resnet50(weights=None).eval()
        maps: list[tuple[int, ...]] = []
        for layer in (network.layer2, network.layer3):
            layer.register_forward_hook(lambda m, i, output: maps.append(tuple(output.shape[1:])))
        network(torch.zeros(1, 3, size, size))
    whole = (sum(shape[0] for shape in maps), *maps[0][1:])
    named = [Step(f"layer{number}", shape) for number, shape in enumerate(maps, 2)]
    steps = [Step("image", (3, size, size)), *named, Step("pooled, aligned, stacked", whole)]
    return steps, whole


def combined_steps(latent: int = 50) -> list[Step]:
    """What an image becomes on its way through backbone and FeatCAE."""
    steps, whole = feature_steps()
    with torch.device("meta"):
        network = FeatCAE(whole[0], latent)
    convolutions = [shape for kind, shape in shapes_through(network, *whole) if kind == "Conv2d"]
    for shape in convolutions[:-1]:
        steps.append(Step("code" if shape[0] == latent else "1×1 convolution", shape))
    restored = Step("features, restored", convolutions[-1])
    return [*steps, restored, Step("anomaly map: squared error", (1, *whole[1:]))]


def pooled_steps() -> list[Step]:
    """What an image becomes in the model on pooled features."""
    steps, whole = feature_steps()
    mean = Step("mean over all places", whole[:1])
    return [*steps, mean, Step("score: distance to nearest", (1,))]


def patch_steps() -> list[Step]:
    """What an image becomes in the nearest-neighbour reference."""
    steps, whole = feature_steps()
    patches = Step("patches", (int(np.prod(whole[1:])), whole[0]))
    return [*steps, patches, Step("anomaly map: distance to nearest", (1, *whole[1:]))]


def weights_of(network: type[nn.Module], *given: int) -> str:
    """How many weights a network has to learn, for a sentence."""
    with torch.device("meta"):
        return f"{sum(each.numel() for each in network(*given).parameters()):,}"

"""The shapes of the data at each station of a model, read off its networks without weights."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet50

from anomalylib.detectors.networks import FeatCAE, ImageAutoencoder


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


def stations(size: int = 224, side: int = 128, code: int = 64, latent: int = 50) -> dict:
    """What an image becomes in each model of the report's setting, and in PatchCore: five steps."""
    with torch.device("meta"):
        autoencoder, backbone = ImageAutoencoder(side, code), resnet50(weights=None).eval()
        maps: list[tuple[int, ...]] = []
        for layer in (backbone.layer2, backbone.layer3):
            layer.register_forward_hook(lambda m, i, output: maps.append(tuple(output.shape[1:])))
        backbone(torch.zeros(1, 3, size, size))
        grid = maps[0][1:]
        features = (sum(shape[0] for shape in maps), *grid)
        featcae = FeatCAE(features[0], latent)
    codes = [shape for _, shape in shapes_through(autoencoder, 3, side, side)]
    squeezed = [shape for _, shape in shapes_through(featcae, *features) if shape[0] == latent]
    both = [Step("image", (3, size, size)), Step("layer2,\nlayer3", features)]
    return {
        "autoencoder": [
            Step("image", (3, side, side)),
            Step("code", (code,) if (code,) in codes else ()),
            Step("restored\nimage", codes[-1]),
            Step("squared\nerror", (side, side)),
        ],
        "resnet": [
            *both,
            Step("mean over\nplaces", features[:1]),
            Step("distance to\nnearest image", (1,)),
        ],
        "combined": [
            *both,
            Step("code", squeezed[0]),
            Step("restored\nfeatures", features),
            Step("squared\nerror", grid),
        ],
        "patchcore": [
            *both,
            Step("patches", (int(np.prod(grid)), features[0])),
            Step("nearest in\ncoreset", (int(np.prod(grid)),)),
            Step("distance", grid),
        ],
    }


def weights_of(network: type[nn.Module], *given: int) -> str:
    """How many weights a network has to learn, for a sentence."""
    with torch.device("meta"):
        return f"{sum(each.numel() for each in network(*given).parameters()):,}"

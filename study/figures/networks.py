"""Drawings of how data flow through the arms; every shape is read off the networks."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.torch
import torch
import torchvision
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import nn

from anomalylib.detectors.networks import FeatCAE, ImageAutoencoder
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from study.figures import style as look
from study.figures.style import BLACK, COLOURS, SMALL


class Step(NamedTuple):
    """One station of the data: what it is called and the shape it has for one image."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Numbers an image."""
        return int(np.prod(self.shape))


def original_extractor(size: int = 224) -> FeatureExtractor:
    """The report's extractor, layers 2 and 3 of ResNet-50, with random weights: for shapes only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.safetensors"
        safetensors.torch.save_file(torchvision.models.resnet50(weights=None).state_dict(), path)
        backbone = resolve_backbone("resnet50", str(path), "layer2,layer3")
        return FeatureExtractor(backbone, image_size=size)


def shapes_through(network: nn.Module, x: torch.Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """Each layer that a batch passes, and the shape of what leaves it.

    Parameters
    ----------
    network : Module
    x : Tensor, shape (1, ...)
        What goes in.

    Returns
    -------
    list of (str, tuple of int)
        Name of the layer's class and the shape without the batch.
    """
    seen: list[tuple[str, tuple[int, ...]]] = []

    def keep(module: nn.Module, inputs, output: torch.Tensor) -> None:
        seen.append((type(module).__name__, tuple(output.shape[1:])))

    leaves = [module for module in network.modules() if not list(module.children())]
    handles = [leaf.register_forward_hook(keep) for leaf in leaves]
    try:
        with torch.inference_mode():
            network.eval()(x)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def autoencoder_steps(size: int = 128, code: int = 64) -> list[Step]:
    """What an image becomes in the image autoencoder, and back."""
    x = torch.zeros(1, 3, size, size)
    named = {"Conv2d": "convolution", "ConvTranspose2d": "transposed convolution"}
    steps = [Step("image", (3, size, size))]
    for kind, shape in shapes_through(ImageAutoencoder(size, code), x):
        if kind in named:
            steps.append(Step(named[kind], shape))
        elif kind == "Linear" and shape == (code,):
            steps.append(Step("code", shape))
    steps[-1] = Step("image, drawn again", steps[-1].shape)
    return [*steps, Step("anomaly map: squared error", (1, size, size))]


def feature_steps(extractor: FeatureExtractor) -> tuple[list[Step], tuple[int, ...]]:
    """What an image becomes in the backbone: its maps, pooled, aligned and stacked."""
    side = extractor.image_size
    pixels = np.zeros((1, side, side, 3), np.uint8)
    maps = extractor.trunk(torch.zeros(1, 3, side, side))
    steps = [Step("image", (3, side, side))]
    layers = extractor.backbone.layers or [f"map {i}" for i in range(len(maps))]
    steps += [Step(name, tuple(m.shape[1:])) for name, m in zip(layers, maps, strict=True)]
    whole = tuple(extractor(pixels).shape[1:])
    return [*steps, Step("pooled, aligned, stacked", whole)], whole


def combined_steps(extractor: FeatureExtractor, latent: int = 50) -> list[Step]:
    """What an image becomes on its way through backbone and FeatCAE."""
    steps, whole = feature_steps(extractor)
    convolutions = [
        shape
        for kind, shape in shapes_through(FeatCAE(whole[0], latent), torch.zeros(1, *whole))
        if kind == "Conv2d"
    ]
    for shape in convolutions[:-1]:
        steps.append(Step("code" if shape[0] == latent else "1×1 convolution", shape))
    steps.append(Step("features, restored", convolutions[-1]))
    return [*steps, Step("anomaly map: squared error", (1, *whole[1:]))]


def pooled_steps(extractor: FeatureExtractor) -> list[Step]:
    """What an image becomes in the arm on pooled features."""
    steps, whole = feature_steps(extractor)
    return [
        *steps,
        Step("mean over all places", whole[:1]),
        Step("score: distance to nearest", (1,)),
    ]


def patch_steps(extractor: FeatureExtractor) -> list[Step]:
    """What an image becomes in the nearest-neighbour reference."""
    steps, whole = feature_steps(extractor)
    patches = (int(np.prod(whole[1:])), whole[0])
    found = [Step("patches", patches), Step("anomaly map: distance to nearest", (1, *whole[1:]))]
    return [*steps, *found]


def rebuilt_steps(extractor: FeatureExtractor, dimensions: int, neighbours: int) -> list[Step]:
    """What an image becomes where each patch is rebuilt from normal ones."""
    steps, whole = feature_steps(extractor)
    grid = whole[1:]
    return [
        *steps,
        Step("on principal axes", (dimensions, *grid)),
        Step("nearest normal patches", (neighbours, dimensions, *grid)),
        Step("rebuilt from them", (dimensions, *grid)),
        Step("anomaly map: what is left", (1, *grid)),
    ]


def flow(arm: str, steps: list[Step]) -> Figure:
    """Stations below each other; a box is as wide as its numbers are many, on a log scale."""
    if len(steps[-1].shape) > 1:  # a map, not yet a score
        steps = [*steps, Step("score: mean of the ten highest", (1,))]
    figure, (axes,) = look.stack(1, 0.36 * len(steps) + 0.1)
    widest = max(np.log(step.size) for step in steps)
    for y, step in enumerate(steps):
        ends = y in (0, len(steps) - 1)
        _box(axes, step, y, 0.06 + 0.94 * np.log(step.size) / widest, "#8A8A8A" if ends else arm)
        if y:
            arrow = FancyArrowPatch((0, y - 0.72), (0, y - 0.3), arrowstyle="-|>", mutation_scale=7)
            arrow.set(color=BLACK, linewidth=0.8)
            axes.add_patch(arrow)
    axes.set(xlim=(-0.53, 1.35), ylim=(len(steps) - 0.5, -0.5))
    axes.set_axis_off()
    return figure


def _box(axes: Axes, step: Step, y: float, width: float, arm: str) -> None:
    """One station: a box in the arm's colour, its name and shape to the right."""
    style = "round,pad=0,rounding_size=0.02"
    box = FancyBboxPatch((-width / 2, y - 0.27), width, 0.54, boxstyle=style, mutation_aspect=8)
    box.set(facecolor=COLOURS.get(arm, arm), edgecolor="none", alpha=0.9)
    axes.add_patch(box)
    shape = " × ".join(f"{side:,}" for side in step.shape)
    axes.annotate(step.name, (0.55, y - 0.14), fontsize=SMALL, va="center", color=BLACK)
    axes.annotate(shape, (0.55, y + 0.2), fontsize=SMALL - 1, va="center", color="#5A5A5A")

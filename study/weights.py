"""The file of ResNet-50 as He et al. published it, made from their tensors, one in a file."""

import hashlib
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.models import resnet50

from anomalylib.errors import UserError
from anomalylib.features.exported import load_program, save_program
from anomalylib.features.weights import HE, HE_SHA256, IMAGENET
from anomalylib.files import sha256_of
from study.checkout import ROOT

FILE = ROOT / "data" / "weights" / "resnet50-he2015-layer2-layer3.pt2"
TENSORS_SHA256 = "6e6665af8e7f125d7d033619974023fa90047e3db1f4276b5785d47232b6e97b"
"""Of all weights and biases, folded, in the program that the study was measured with."""
MEAN = (123.68, 116.779, 103.939)  # red, green, blue, of 0 to 255: what the authors subtract
EPSILON = 1e-5
BRANCHES = {"conv1": "2a", "conv2": "2b", "conv3": "2c", "downsample.0": "1"}
"""What the authors call the convolutions of a block."""


class ThroughLayer3(nn.Module):
    """ResNet-50 of He et al. as far as layer3, its batch norms folded into convolutions.

    It differs from torchvision's in where a stage's first block takes its stride, the 1x1
    convolution, and in a max pool that is not padded and rounds up.
    """

    def __init__(self):
        super().__init__()
        whole = resnet50(norm_layer=lambda channels: nn.Identity())
        pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.stem = nn.Sequential(whole.conv1, whole.bn1, whole.relu, pool)
        self.layer1, self.layer2, self.layer3 = whole.layer1, whole.layer2, whole.layer3
        for block in (self.layer2[0], self.layer3[0]):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The maps of layer2 and layer3 of ImageNet-normalised images (N, 3, H, W)."""
        stem = self.stem(x)  # (N, 64, H/4, W/4)
        second = self.layer2(self.layer1(stem))  # (N, 512, H/8, W/8)
        return second, self.layer3(second)  # and (N, 1024, H/16, W/16)


def make(name: str, folder: Path, path: Path = FILE) -> list[str]:
    """Write the weights file of a backbone, and say in lines what it is.

    Parameters
    ----------
    name : str
        ``"resnet50-he"``, the only one.
    folder : Path
        Where the authors' tensors lie as ``<name>.<i>.bin``: little-endian float32 in
        Caffe's order (output, input, height, width).
    path : Path
        Where to write.

    Raises
    ------
    UserError
        If a tensor is missing, has another size, or is not finite.
    """
    if name != HE:
        raise UserError(f"the file of {name!r} is not made here; of these it is: {HE}")
    with torch.device("meta"):
        network = ThroughLayer3()
    for place, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight, layer.bias = _folded(folder, place, layer.weight.shape)
    sides = [32 * torch.export.Dim(side, min=2, max=64) for side in "HW"]
    sizes = {0: torch.export.Dim("batch", min=1, max=4096), 2: sides[0], 3: sides[1]}
    images = torch.zeros(2, 3, 224, 224)  # an example
    network.eval().requires_grad_(False)
    save_program(torch.export.export(network, (images,), dynamic_shapes={"x": sizes}), path)
    return [str(path), f"SHA-256 {sha256_of(path)}", _verdict(path)]


def _folded(folder: Path, place: str, shape: tuple[int, ...]) -> tuple[nn.Parameter, nn.Parameter]:
    """Weight and bias of a convolution, named as in torchvision, and its batch norm in one."""
    layer, _, inner = place.partition(".")
    block, _, conv = inner.partition(".")
    if layer == "stem":
        own, of_norm = "conv1", "_conv1"
    else:
        of_norm = f"{int(layer[-1]) + 1}{'abcdef'[int(block)]}_branch{BRANCHES[conv]}"
        own = f"res{of_norm}"
    weight, bias = _tensor(folder, f"{own}.0", shape), None  # (out, in, height, width)
    channels = shape[:1]
    mean, variance, scale, shift = (
        _tensor(folder, f"{kind}{of_norm}.{number}", channels)
        for kind in ("bn", "scale")
        for number in (0, 1)
    )
    factor = _tensor(folder, f"bn{of_norm}.2", (1,))  # over which Caffe keeps its statistics
    mean, variance = mean / factor, variance / factor
    if layer == "stem":
        bias = _tensor(folder, f"{own}.1", channels)
        weight, offset = _for_normalised(weight)
        mean = mean - offset
    folded = fuse_conv_bn_weights(weight, bias, mean, variance, EPSILON, scale, shift)
    if not all(tensor.isfinite().all() for tensor in folded):
        raise UserError(f"the tensors of {own} in {folder} give no finite numbers: get them again")
    return folded


def _for_normalised(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The first weights for normalised RGB in place of BGR of 0 to 255 less its mean.

    And what the difference of the two means adds to each channel. It is added at the border
    too, where zeros are padded: there the authors' network sees up to half a grey level less.
    """
    mean, std = (255 * torch.tensor(values, dtype=torch.float64) for values in IMAGENET)  # (3,)
    reversed_weight = weight.flip(1)  # (64, 3, 7, 7), red first
    offset = (mean - torch.tensor(MEAN, dtype=torch.float64)).float().view(3, 1, 1)
    scaled = (reversed_weight.double() * std.view(3, 1, 1)).float()
    return scaled, (reversed_weight * offset).sum((1, 2, 3))  # (64, 3, 7, 7), (64,)


def _tensor(folder: Path, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """One of the authors' tensors."""
    path, expected = folder / f"{name}.bin", 4 * math.prod(shape)
    if not path.is_file():
        raise UserError(f"{path} is missing: it should have {expected:,} bytes")
    if (found := path.stat().st_size) != expected:
        raise UserError(f"{path} has {found:,} bytes, not {expected:,}: get it again")
    return torch.from_numpy(np.fromfile(path, "<f4").astype(np.float32)).view(shape)


def _verdict(path: Path) -> str:
    """Whether a file that was made here is what the study was measured with."""
    measured, as_made = HE_SHA256
    if sha256_of(path) == as_made:
        of = f"of the file that the study was measured with (SHA-256 {measured})"
        return f"as it should be: byte for byte what is read {of}"
    tensors = load_program(path).state_dict.values()
    digest = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()
    same = "are bit for bit the same" if digest == TENSORS_SHA256 else "are others"
    compared = f"compared by one SHA-256, its {len(tensors)} folded tensors {same}"
    return f"not byte for byte the file that the study was measured with ({measured}); {compared}"

"""Each arm's way from an image to a score as one module that can be traced.

The detectors judge block by block through files; these modules do the same
arithmetic in one go and in elementary steps, so that `anomalylib.deploy.onnx` can
write them down.
"""

import PIL
import torch
from torch import nn

from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.base import Detector, FeatureDetector
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.combined_plus import CombinedPlus
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.detectors.pooled import Pooled
from anomalylib.errors import UserError

FIXED_POINT = 2.0**22
"""Pillow rounds the weights of a resize to multiples of one over this."""
TALL_BY_COLUMNS = int(PIL.__version__.partition(".")[0]) >= 13
"""Whether Pillow resizes along the columns first where that leaves much less to do."""


class Graph(nn.Module):
    """What the graphs of all arms share: the resize before, the aggregation after.

    Parameters
    ----------
    detector : Detector
        Fitted.
    size : int
        S, side in pixels of what the arm sees.
    """

    def __init__(self, detector: Detector, size: int):
        super().__init__()
        self.size = size
        self.top_k = detector.top_k

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Judge images of one size.

        Parameters
        ----------
        images : Tensor, shape (N, H, W, 3), uint8

        Returns
        -------
        score : Tensor, shape (N,)
        map : Tensor, shape (N, h, w)
        """
        maps = self.maps(resized(images, self.size))  # (N, h, w)
        flat = maps.flatten(1)  # (N, h*w)
        largest = flat.topk(min(self.top_k, flat.shape[1])).values  # (N, k)
        return largest.mean(dim=1), maps

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """Anomaly maps (N, h, w) of images (N, S, S, 3), uint8."""
        raise NotImplementedError


class AutoencoderGraph(Graph):
    """See `Autoencoder`."""

    arm = "autoencoder"

    def __init__(self, detector: Autoencoder):
        super().__init__(detector, detector.image_size)
        self.model = detector.model_

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """Squared error, mean over colours."""
        pixels = images.permute(0, 3, 1, 2) / 255  # (N, 3, S, S)
        return (self.model(pixels) - pixels).square().mean(dim=1)  # (N, S, S)


class FeatureGraph(Graph):
    """What the graphs of the arms on pretrained features share."""

    def __init__(self, detector: FeatureDetector):
        super().__init__(detector, detector.extractor.image_size)
        self.extractor = detector.extractor

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Feature maps (N, h, w, C) of images (N, S, S, 3), rounded as the cache keeps them."""
        maps = self.extractor.feature_maps(images)  # (N, C, h, w)
        return maps.permute(0, 2, 3, 1).half().float()  # (N, h, w, C)


class ResnetGraph(FeatureGraph):
    """See `Pooled`."""

    arm = "resnet"

    def __init__(self, detector: Pooled):
        super().__init__(detector)
        self.register_buffer("bank", detector.bank_)

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """Distance to the nearest nominal image, one cell."""
        pooled = self.features(images).mean(dim=(1, 2))  # (N, C)
        squares = (pooled[:, None] - self.bank).square().sum(dim=2)  # (N, M)
        return squares.amin(dim=1).sqrt()[:, None, None]  # (N, 1, 1)


class CombinedGraph(FeatureGraph):
    """See `Combined`."""

    arm = "combined"

    def __init__(self, detector: Combined):
        super().__init__(detector)
        self.model = detector.model_
        self.scale = detector.scale
        self.register_buffer("mean", detector.mean_)
        self.register_buffer("std", detector.std_)

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """Squared error, mean over channels."""
        features = self.features(images)  # (N, h, w, C)
        if self.scale:
            features = (features - self.mean) / self.std
        x = features.permute(0, 3, 1, 2)  # (N, C, h, w)
        return (self.model(x) - x).square().mean(dim=1)  # (N, h, w)


class PatchcoreGraph(FeatureGraph):
    """See `PatchCore`."""

    arm = "patchcore"

    def __init__(self, detector: PatchCore):
        super().__init__(detector)
        self.register_buffer("bank", detector.bank_)

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """Distance to the nearest patch of the bank."""
        features = self.features(images)  # (N, h, w, C)
        least = shifted_squares(features, self.bank).amin(dim=3)  # (N, h, w)
        return (least + features.square().sum(dim=3)).clamp(min=0).sqrt()  # (N, h, w)


class CombinedPlusGraph(FeatureGraph):
    """See `CombinedPlus`."""

    arm = "combined_plus"

    def __init__(self, detector: CombinedPlus):
        super().__init__(detector)
        self.neighbours = min(detector.neighbours, len(detector.bank_))
        self.ridge = detector.ridge
        self.register_buffer("mean", detector.mean_)
        self.register_buffer("axes", detector.axes_)
        self.register_buffer("bank", detector.bank_)

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """Error of rebuilding each patch, as `combined_plus.rebuilding_errors` has it."""
        features = self.features(images)  # (N, h, w, C)
        rows = ((features - self.mean) @ self.axes).flatten(0, 2)  # (n, D)
        distances = shifted_squares(rows, self.bank)  # (n, M)
        nearest = distances.topk(self.neighbours, largest=False).indices  # (n, k)
        edges = self.bank[nearest] - rows[:, None]  # (n, k, D)
        gram = edges @ edges.mT  # (n, k, k)
        level = self.ridge * edges.square().sum(dim=2).mean(dim=1) + 1e-6  # (n,)
        gram = gram + level[:, None, None] * torch.eye(self.neighbours)
        weights = solved_for_ones(gram)  # (n, k, 1)
        weights = weights / weights.sum(dim=1, keepdim=True)
        errors = (weights * edges).sum(dim=1).square().sum(dim=1).sqrt()  # (n,)
        return errors.unflatten(0, features.shape[:3])  # (N, h, w)


GRAPHS: dict[type[Detector], type[Graph]] = {
    Autoencoder: AutoencoderGraph,
    Pooled: ResnetGraph,
    Combined: CombinedGraph,
    PatchCore: PatchcoreGraph,
    CombinedPlus: CombinedPlusGraph,
}


def graph_of(detector: Detector) -> Graph:
    """The graph of a fitted detector, in eval mode.

    Raises
    ------
    UserError
        If it is not fitted, is none of the arms, or has a backbone that does
        not compute in single precision.
    """
    name = type(detector).__name__
    if type(detector) not in GRAPHS:
        raise UserError(f"{name} has no graph: export one of the arms")
    if not hasattr(detector, "threshold_"):
        raise UserError(f"this {name} has not learned yet: call its fit first")
    precision = detector.extractor.precision if hasattr(detector, "extractor") else "float32"
    if precision != "float32":
        raise UserError(f"a backbone in {precision} has no graph: fit with precision='float32'")
    return GRAPHS[type(detector)](detector).eval()


def resized(images: torch.Tensor, size: int) -> torch.Tensor:
    """What `data.resize` gives, bit for bit: (N, H, W, 3) to (N, S, S, 3), uint8.

    Pillow resizes along one axis, rounds to whole numbers, and resizes along
    the other.
    """
    height, width = images.shape[1:3]
    x = images.permute(0, 3, 1, 2).double()  # (N, 3, H, W)
    both = x, resize_weights(height, size), resize_weights(width, size).T  # (S, H) and (W, S)
    tall = height - size > torch.sym_max(2 * (width - size), 0)
    if not TALL_BY_COLUMNS:
        x = _rows_first(*both)  # (N, 3, S, S)
    elif isinstance(tall, bool):
        x = _columns_first(*both) if tall else _rows_first(*both)
    else:  # traced for any height and width
        x = torch.cond(tall, _columns_first, _rows_first, both)
    return x.permute(0, 2, 3, 1).to(torch.uint8)


def _rows_first(x: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
    return _in_bytes(down @ _in_bytes(x @ across))


def _columns_first(x: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
    return _in_bytes(_in_bytes(down @ x) @ across)


def _in_bytes(sums: torch.Tensor) -> torch.Tensor:
    return (sums / FIXED_POINT + 0.5).floor().clamp(0, 255)


def resize_weights(length: int, size: int) -> torch.Tensor:
    """Pillow's bilinear weights, in units of one over `FIXED_POINT`: (size, length).

    Each new pixel is a mean of the old ones near its middle; weights fall off
    linearly, over one old pixel, or over one new pixel where that is wider.
    """
    middles = torch.arange(length, dtype=torch.float64) + 0.5  # (length,)
    step = torch.ones_like(middles).sum() / size  # as a tensor, so that any length can be traced
    wanted = (torch.arange(size, dtype=torch.float64) + 0.5) * step  # (size,)
    away = (middles - wanted[:, None]).abs() / step.clamp(min=1)  # (size, length)
    weights = (1 - away).clamp(min=0)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return (weights * FIXED_POINT + 0.5).floor()


def shifted_squares(rows: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """Squared distances (..., M) of rows (..., D) to a bank (M, D), less the rows' squares."""
    return bank.square().sum(dim=1) - 2 * (rows @ bank.T)


def solved_for_ones(systems: torch.Tensor) -> torch.Tensor:
    """Solve systems of linear equations whose right sides are all ones.

    By Gauss-Jordan elimination without pivoting, in steps that ONNX has; for
    symmetric positive definite systems that is stable.

    Parameters
    ----------
    systems : Tensor, shape (n, k, k)

    Returns
    -------
    Tensor, shape (n, k, 1)
    """
    table = torch.cat([systems, torch.ones_like(systems[..., :1])], dim=2)  # (n, k, k + 1)
    for i in range(systems.shape[1]):
        row = table[:, i : i + 1] / table[:, i : i + 1, i : i + 1]  # (n, 1, k + 1)
        others = table - table[:, :, i : i + 1] * row
        table = torch.cat([others[:, :i], row, others[:, i + 1 :]], dim=1)
    return table[:, :, -1:]

"""Pillow's bilinear resize in elementary steps, so that it can be traced."""

import PIL
import torch

FIXED_POINT = 2.0**22  # Pillow rounds the weights of a resize to multiples of one over this
TALL_BY_COLUMNS = int(PIL.__version__.partition(".")[0]) >= 13
"""Whether Pillow resizes along the columns first where that leaves much less to do."""


def resized(images: torch.Tensor, size: int) -> torch.Tensor:
    """What `images.category.resize` gives, bit for bit: (N, H, W, 3) to (N, S, S, 3), uint8.

    Pillow resizes along one axis, rounds to whole numbers, then along the other.
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

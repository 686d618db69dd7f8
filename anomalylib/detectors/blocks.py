"""Arrays a few entries at a time, and scores from maps."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from anomalylib.errors import UserError
from anomalylib.features.batches import name_of
from anomalylib.features.cache import Stored

Images = Sequence[np.ndarray]
BLOCK = 8  # images per scoring step


def blocks(stored: Stored) -> Iterator[np.ndarray | torch.Tensor]:
    """All entries, a few at a time: (n, ...)."""
    return (stored[start : start + BLOCK] for start in range(0, len(stored), BLOCK))


def joined(parts: Iterator[np.ndarray], count: int) -> np.ndarray:
    """Parts (n, ...) after each other, `count` entries in all.

    Written into one array as they come: small results kept between large
    temporary ones would split the process's free memory, which then grows.
    """
    whole, start = None, 0
    for part in parts:
        if whole is None:
            whole = np.empty((count, *part.shape[1:]), part.dtype)
        whole[start : start + len(part)] = part
        start += len(part)
    return whole


def as_rows(
    features: torch.Tensor | np.ndarray, device: torch.device | None = None
) -> torch.Tensor:
    """Feature maps (n, H, W, C) as patches (n*H*W, C), there or on another device."""
    return torch.as_tensor(features, device=device).float().flatten(0, 2)


def by_parts(
    function: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor, most: int
) -> torch.Tensor:
    """A function of rows (n, ...), of at most `most` at a time; of all where it is traced."""
    if torch.compiler.is_exporting():
        return function(rows)
    return torch.cat([function(part) for part in rows.split(max(1, most))])


def cells_in_view(view: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Cells of a grid that lie mostly in a view (S, S), bool: all where there is but one."""
    shares = F.adaptive_avg_pool2d(torch.from_numpy(view)[None].float(), grid)[0].numpy()
    return (shares >= 0.5) | (shares.size == 1)  # (H, W)


def aggregate(maps: np.ndarray, top_k: int) -> np.ndarray:
    """Mean of the `top_k` largest values of each map, or of all: (N, H, W) to (N,)."""
    flat = maps.reshape(len(maps), -1)  # (N, H*W)
    k = min(top_k, flat.shape[1])
    return np.partition(flat, -k, axis=1)[:, -k:].mean(axis=1)


def finite(scores: np.ndarray, images: Sequence) -> np.ndarray:
    """The scores (N,), or an error: NaN is above no threshold, and would pass for normal."""
    wrong = np.flatnonzero(~np.isfinite(scores))
    if len(wrong):
        name, value = name_of(images, wrong[0]), scores[wrong[0]]
        refusal = f"the score of {name} is {value}, no number to compare"
        raise UserError(f"{refusal}: give other weights, more images or a lower learning rate")
    return scores

"""Pictures that are copies of each other, or so near that they may be."""

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

ALIKE = 0.9995
"""Correlation of the thumbnails of two pictures above which they may be one.

A picture saved again as JPEG of quality 50, at half its size, a tenth brighter
or with noise of 6 grey levels stays above 0.9995 of itself, and mostly above
0.9998, on the drawn and the real parts of this study, but for a picture of
little contrast; two pictures of different parts stay below 0.997.
"""
USUAL = 5
"""The neighbour whose distance is the usual one of a set; so many copies do not move it."""
SHARE = 0.25
"""Of the usual distance: a part that always lies in one place is no copy of itself."""


class Pair(NamedTuple):
    """Two pictures by their rows, and the correlation of their thumbnails."""

    first: int
    second: int
    correlation: float


def neighbours(thumbnails: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest other thumbnails of each, nearest first.

    Parameters
    ----------
    thumbnails : ndarray, shape (N, T, T)
    count : int
        How many, N - 1 at most.

    Returns
    -------
    distances : ndarray, shape (N, count)
        sqrt(2 - 2 r) for a correlation r, which is 0 where there is no contrast.
    rows : ndarray of int, shape (N, count)
    """
    flat = thumbnails.reshape(len(thumbnails), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)  # (N, T * T)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute", metric="cosine").fit(flat)
    distances, rows = search.kneighbors()  # 1 - r; without each thumbnail itself
    return np.sqrt(2 * distances), rows


def exact(pixels: list[str]) -> list[Pair]:
    """Each picture with the first that has the same pixels.

    Parameters
    ----------
    pixels : list of str
        Hash of each picture's pixels.
    """
    first: dict[str, int] = {}
    return [
        Pair(first[digest], row, 1.0)
        for row, digest in enumerate(pixels)
        if first.setdefault(digest, row) != row
    ]


def near(thumbnails: np.ndarray, pixels: list[str]) -> list[Pair]:
    """Pictures with others that are alike beyond `ALIKE` and beyond what is usual here.

    Each is compared with its nearest; of pictures with equal pixels only the
    first takes part.

    Parameters
    ----------
    thumbnails : ndarray, shape (N, T, T)
    pixels : list of str
        Hash of each picture's pixels.

    Returns
    -------
    list of Pair
        The most alike first.
    """
    pairs, distances = closest(thumbnails, pixels)
    if not pairs:
        return []
    usual = SHARE * float(np.median(distances[:, -1]))
    limit = min(np.sqrt(2 - 2 * ALIKE), usual)
    return [pair for pair in pairs if np.sqrt(max(2 - 2 * pair.correlation, 0)) <= limit]


def closest(thumbnails: np.ndarray, pixels: list[str]) -> tuple[list[Pair], np.ndarray]:
    """Each picture with its nearest, the most alike pair first, and the distances, (N, k)."""
    kept = np.unique(pixels, return_index=True)[1]
    kept.sort()
    if len(kept) < 2:
        return [], np.empty((0, 0))
    distances, rows = neighbours(thumbnails[kept], min(USUAL, len(kept) - 1))
    found = {}
    for own, (distance, other) in enumerate(zip(distances[:, 0], rows[:, 0], strict=True)):
        ends = sorted((int(kept[own]), int(kept[other])))
        found[tuple(ends)] = Pair(*ends, float(1 - distance**2 / 2))
    return sorted(found.values(), key=lambda pair: -pair.correlation), distances

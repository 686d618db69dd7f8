"""Pictures that are copies of each other, or so near that they may be."""

from typing import NamedTuple

import numpy as np

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
ROWS = 512


class Pair(NamedTuple):
    """Two pictures by their rows, and the correlation of their thumbnails."""

    first: int
    second: int
    correlation: float


def directions(thumbnails: np.ndarray) -> np.ndarray:
    """Each thumbnail, (N, T, T), with mean 0 and length 1; one of no contrast stays 0."""
    flat = thumbnails.reshape(len(thumbnails), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)  # (N, T * T)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


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
        Between `directions`: sqrt(2 - 2 r) for a correlation r.
    rows : ndarray of int, shape (N, count)
    """
    found = directions(thumbnails)
    distances, rows = [], []
    for start in range(0, len(found), ROWS):
        alike = found[start : start + ROWS] @ found.T  # (R, N)
        own = np.arange(len(alike))
        alike[own, own + start] = -np.inf
        order = np.argsort(-alike, axis=1, kind="stable")[:, :count]
        rows.append(order)
        distances.append(np.sqrt(np.maximum(2 - 2 * np.take_along_axis(alike, order, axis=1), 0)))
    return np.concatenate(distances), np.concatenate(rows)


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

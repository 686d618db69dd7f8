"""Images that are copies of each other, or so near that they may be."""

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

ALIKE = 0.9995
"""Correlation of the thumbnails of two images above which they may be one.

An image saved again as JPEG of quality 50, at half its size, a tenth brighter
or with noise of 6 grey levels stays above 0.9995 of itself, and mostly above
0.9998, on the drawn and the real parts of this study, but for an image of
little contrast; two images of different parts stay below 0.997.
"""
USUAL = 5
"""The neighbour whose distance is the usual one of a set; so many copies do not move it."""
SHARE = 0.25
"""Of the usual distance: a part that always lies in one place is no copy of itself."""


def neighbours(thumbnails: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest other thumbnails of each of (N, T, T), N - 1 at most, nearest first.

    Returns their distances, sqrt(2 - 2 r) for a correlation r, which is 0 where there is
    no contrast, and their rows; both (N, count).
    """
    flat = thumbnails.reshape(len(thumbnails), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)  # (N, T * T)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute", metric="cosine").fit(flat)
    distances, rows = search.kneighbors()  # 1 - r; without each thumbnail itself
    return np.sqrt(2 * distances), rows


def pairs(thumbnails: np.ndarray, pixels: list[str]) -> pd.DataFrame:
    """Equal images, then each image with its nearest, the most alike pair first.

    Of images with equal hashes of their pixels, (N,), only the first is compared by its
    thumbnail; thumbnails are (N, T, T).

    Returns
    -------
    DataFrame
        ``first`` and ``second``, their rows; ``alike``, which is ``copy`` for equal pixels,
        ``nearly`` beyond `ALIKE` and beyond what is usual here, else empty; ``correlation``.
    """
    _, firsts, inverse = np.unique(pixels, return_index=True, return_inverse=True)
    first, rows = firsts[inverse], np.arange(len(pixels))
    again, kept = rows[first != rows], rows[first == rows]
    equal = pd.DataFrame({"first": first[again], "second": again, "alike": "copy"})
    equal["correlation"] = 1.0
    if len(kept) < 2:
        return equal
    distances, nearest = neighbours(thumbnails[kept], min(USUAL, len(kept) - 1))
    near = pd.DataFrame(np.sort([kept, kept[nearest[:, 0]]], axis=0).T, columns=["first", "second"])
    near["correlation"] = (1 - distances[:, 0] ** 2 / 2).astype(float)
    near = near.groupby(["first", "second"], sort=False, as_index=False).last()
    near = near.sort_values("correlation", ascending=False, kind="stable")
    limit = min(np.sqrt(2 - 2 * ALIKE), SHARE * np.median(distances[:, -1]))
    close = np.sqrt((2 - 2 * near.correlation).clip(lower=0)) <= limit
    near["alike"] = np.where(close, "nearly", "")
    return pd.concat([equal, near], ignore_index=True)

"""The training images, as far as a detector keeps them: to show and to compare."""

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

THUMBNAIL = 96  # pixels a side of the copies of the training images


class Gallery(NamedTuple):
    """Names, vectors and small copies of the training images."""

    names: list[str]
    fingerprint: str  # SHA-256 of the images
    vectors: np.ndarray  # (N, D)
    thumbnails: np.ndarray  # (N, s, s, 3), uint8
    usual: float  # the largest distance from one of the vectors to its nearest other

    def nearest(self, vector: np.ndarray) -> tuple[int, float]:
        """Number of the training image most like a vector (D,), and its distance over `usual`.

        Far above 1 it is another kind of image. Not a number where `usual` is 0.
        """
        distances = np.linalg.norm(self.vectors - vector, axis=1)  # (N,)
        number = int(distances.argmin())
        return number, float(distances[number] / self.usual) if self.usual else np.nan


def usual_distance(vectors: np.ndarray) -> float:
    """The largest distance from one of the vectors (N, D) to its nearest other."""
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(vectors.astype(np.float64))
    return float(search.kneighbors()[0].max())

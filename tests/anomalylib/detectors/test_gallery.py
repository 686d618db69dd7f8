import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylib.detectors.gallery import Gallery, usual_distance


def test_the_usual_distance_is_the_loneliest_vectors():
    assert usual_distance(np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 0.0]])) == pytest.approx(5)


@given(seed=st.integers(0, 999), count=st.integers(2, 12))
def test_it_is_the_largest_of_the_smallest_distances(seed, count):
    vectors = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    apart = np.linalg.norm(vectors[:, None] - vectors, axis=2) + np.diag(np.full(count, np.inf))
    usual = usual_distance(vectors)
    assert usual == pytest.approx(apart.min(axis=1).max(), rel=1e-5)
    gallery = Gallery([], "", vectors, np.empty(0), usual)
    number, distance = gallery.nearest(vectors[1] + 1e-6)
    assert number == 1 and distance < 1e-3
    far = vectors.mean(axis=0) + 100
    assert gallery.nearest(far)[1] > 1


def test_copies_alone_have_no_usual_distance():
    gallery = Gallery([], "", np.ones((3, 2)), np.empty(0), usual_distance(np.ones((3, 2))))
    assert np.isnan(gallery.nearest(np.zeros(2))[1])

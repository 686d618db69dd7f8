import io

import numpy as np
import pytest
from PIL import Image

from study.datacheck import copies
from study.datacheck.survey import statistics


def blobs(count, side=128):
    """Images of a few random blobs, (N, S, S, 3), few of whose pixels saturate a tenth brighter."""
    coarse = np.random.default_rng(0).integers(20, 210, (count, 6, 6), dtype=np.uint8)
    grown = [Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC) for one in coarse]
    return np.stack([np.repeat(np.asarray(one)[..., None], 3, axis=-1) for one in grown])


def looked(images):
    """Thumbnails and pixel hashes."""
    found = [statistics(image) for image in images]
    return np.stack([thumbnail for _, thumbnail in found]), [said["pixels"] for said, _ in found]


def alike(thumbnails, pixels):
    """The pairs that are copies, or nearly."""
    pairs = copies.pairs(thumbnails, pixels)
    return list(pairs[pairs.alike != ""].itertuples(index=False))


def test_distances_follow_the_correlation():
    thumbnails, _ = looked(blobs(7))
    distances, rows = copies.neighbours(thumbnails, 6)
    correlation = np.corrcoef(thumbnails.reshape(7, -1))
    for own in range(7):
        expected = sorted((np.sqrt(2 - 2 * correlation[own, j]), j) for j in range(7) if j != own)
        assert rows[own].tolist() == [j for _, j in expected]
        np.testing.assert_allclose(distances[own], [d for d, _ in expected], atol=1e-3)


def test_thumbnails_of_no_contrast_are_like_nothing():
    thumbnails = np.stack([np.full((8, 8), 7), np.full((8, 8), 7), np.eye(8)]).astype(np.float32)
    distances, _ = copies.neighbours(thumbnails, 2)
    np.testing.assert_allclose(distances, np.sqrt(2))


def as_jpeg(image):
    kept = io.BytesIO()
    Image.fromarray(image).save(kept, "JPEG", quality=50)
    return np.asarray(Image.open(kept))


def noisy(image):
    noise = np.random.default_rng(1).normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


CHANGES = {
    "jpeg": as_jpeg,
    "brighter": lambda image: np.clip(image * 1.1, 0, 255).astype(np.uint8),
    "half": lambda image: np.asarray(Image.fromarray(image).resize((64, 64))),
    "noise": noisy,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(change):
    images = list(blobs(12))
    images.append(CHANGES[change](images[4]))
    thumbnails, pixels = looked(images)
    (pair,) = alike(thumbnails, pixels)
    assert pair[:3] == (4, 12, "nearly") and copies.ALIKE <= pair.correlation < 1


def test_equal_pixels_are_found_whatever_the_file_and_only_once():
    images = blobs(5)
    thumbnails, pixels = looked(images[[0, 1, 2, 0, 3, 0, 4]])
    assert alike(thumbnails, pixels) == [(0, 3, "copy", 1.0), (0, 5, "copy", 1.0)]


def test_a_part_that_always_lies_in_one_place_is_no_copy_of_itself():
    one = blobs(1)[0]
    random = np.random.default_rng(1)
    noisy = [np.clip(one + random.normal(0, 4, one.shape), 0, 255) for _ in range(12)]
    thumbnails, pixels = looked([image.astype(np.uint8) for image in noisy])
    assert copies.pairs(thumbnails, pixels).correlation[0] > copies.ALIKE
    assert alike(thumbnails, pixels) == []


def test_one_image_or_none_has_no_neighbour():
    thumbnails, pixels = looked(blobs(1))
    assert alike(thumbnails, pixels) == []
    assert alike(np.zeros((0, 32, 32)), []) == []
    copied = alike(np.repeat(thumbnails, 4, axis=0), pixels * 4)
    assert [pair.alike for pair in copied] == ["copy"] * 3

"""The door: what people have becomes (N, H, W, 3) uint8, or ends in one line."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.images.arrays import as_images
from anomalylib.images.category import Subset, load_category

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (9, 12, 3), dtype=np.uint8)
COLOUR[0, 0] = 255
GREY = COLOUR[..., 0]
AS_COLOUR = np.repeat(GREY[..., None], 3, axis=2)
TWELVE = (GREY.astype(np.uint16) << 4) + 7  # of 12 bits


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "part.png"
    Image.fromarray(COLOUR).save(path)
    return path


TAKEN = {
    "one image": (COLOUR, COLOUR),
    "a list": ([COLOUR], COLOUR),
    "a tuple": ((COLOUR,), COLOUR),
    "a stack": (COLOUR[None], COLOUR),
    "grey": (GREY, AS_COLOUR),
    "grey, (H, W, 1)": (GREY[..., None], AS_COLOUR),
    "a list of grey": ([GREY], AS_COLOUR),
    "opaque": (np.dstack([COLOUR, np.full_like(GREY, 255)]), COLOUR),
    "transparent": (np.dstack([COLOUR, np.zeros_like(GREY)]), np.zeros_like(COLOUR)),
    "channels first, a stack": (np.moveaxis(COLOUR, 2, 0)[None], COLOUR),
    "a tensor": (torch.from_numpy(COLOUR), COLOUR),
    "a tensor, channels first": (torch.from_numpy(COLOUR).permute(2, 0, 1), COLOUR),
    "a tensor with a gradient": (
        (torch.from_numpy(COLOUR).permute(2, 0, 1) / 255).requires_grad_(),
        COLOUR,
    ),
    "tensors, (N, C, H, W)": (torch.from_numpy(COLOUR).permute(2, 0, 1)[None], COLOUR),
    "floats in 0 to 1": (COLOUR / 255, COLOUR),
    "half floats in 0 to 1": ([(COLOUR / np.float32(255))], COLOUR),
    "whole numbers": (COLOUR.astype(np.int64), COLOUR),
    "12 bits": (TWELVE, AS_COLOUR),
    "16 bits": (GREY.astype(np.uint16) * 257, AS_COLOUR),
    "PIL": (Image.fromarray(COLOUR), COLOUR),
    "PIL, grey": ([Image.fromarray(GREY)], AS_COLOUR),
    "PIL, 12 bits": (Image.fromarray(TWELVE), AS_COLOUR),
    "views": (COLOUR[::-1, ::-1], COLOUR[::-1, ::-1]),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_people_have_becomes_images(case):
    taken, expected = TAKEN[case]
    images = as_images(taken)
    assert len(images) == 1
    assert images[0].dtype == np.uint8 and images[0].flags.c_contiguous
    assert np.array_equal(images[0], expected)
    assert np.array_equal(as_images(images)[0], expected)  # the door may be passed twice


def test_files_are_read_and_named(file):
    for one in (file, str(file), [file]):
        images = as_images(one)
        assert np.array_equal(images[0], COLOUR) and images.names == ["part.png"]
    both = as_images([file, COLOUR])
    assert np.array_equal(both[0], both[1]) and both.names is None


def test_a_category_passes_as_it_is(category_folder):
    train = load_category(category_folder, "bolt").train
    assert as_images(train) is train and as_images(train, train.bits) is train
    few = as_images(Subset(train, np.array([1])))
    assert np.array_equal(few[0], train[1])
    assert as_images(train, 12).bits == 12


REFUSED = {
    "none": ([], "no images"),
    "nothing": (None, "NoneType"),
    "floats in 0 to 255": (COLOUR.astype(float), r"float64 \(9, 12, 3\), 0 to 255"),
    "resized floats": (COLOUR / 255 * 0.737, r"of no certain range"),
    "normalised floats": ((COLOUR / 255 - 0.45) / 0.22, r"of no certain range"),
    "black and white floats": ((COLOUR > 99).astype(float), "of no certain range"),
    "not a number": (np.full((9, 12, 3), np.nan), "float64"),
    "yes and no": (COLOUR > 99, "bool"),
    "below 0": (COLOUR.astype(np.int16) - 300, r"int16 \(9, 12, 3\)"),
    "17 bits": (COLOUR.astype(np.int32) * 514, r"int32 \(9, 12, 3\)"),
    "five channels": (np.zeros((9, 12, 5), np.uint8), r"uint8 \(9, 12, 5\)"),
    "three grey ones or channels first": (np.zeros((3, 9, 12), np.uint8), r"uint8 \(3, 9, 12\)"),
    "no pixels": ([COLOUR[:0]], r"uint8 \(0, 12, 3\)"),
    "words": (["a", 3.5], r"image 1 of 2 is float64 \(\)"),
    "objects": ([{"image": COLOUR}], "image 0 of 1 is object"),
    "a generator": ((image for image in [COLOUR]), "generator"),
    "a number": (np.float64(3), r"float64 \(\)"),
    "complex numbers": (COLOUR.astype(complex), "complex128"),
    "the second": ([COLOUR, COLOUR.astype(float)], "image 1 of 2 is float64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_image_ends_in_one_line(case):
    refused, words = REFUSED[case]
    with pytest.raises(UserError, match=words) as caught:
        as_images(refused)
    line = str(caught.value)
    assert "\n" not in line and "red first" in line


@given(
    bits=st.integers(8, 16),
    first=st.integers(0, 2**16 - 1),
    others=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=5),
)
def test_all_images_are_scaled_by_one_factor(bits, first, others):
    most = 2**bits - 1
    values = [min(value, most) for value in (first, *others)]
    stack = [np.full((8, 8), value, dtype=np.uint16) for value in values]
    images = as_images([*stack, np.full((8, 8), most, dtype=np.uint16)])
    even = bits + bits % 2  # depths that sensors have
    assert images.bits == even
    assert [images[i][0, 0, 0] for i in range(len(values))] == [v >> (even - 8) for v in values]
    with pytest.raises(UserError, match="beyond the range"):
        as_images([np.full((8, 8), 2**even, dtype=np.int32)], even)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anomalylib.images.depth import bits_of
from anomalylib.images.reading import is_deep, read_image, read_values


def saved(path, values, kind=np.uint16):
    Image.fromarray(np.full((8, 8), values, kind)).save(path)
    return path


@pytest.mark.parametrize(
    ("largest", "bits"),
    [(0, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16384, 16)],
)
def test_the_fewest_bits_of_a_sensor_that_hold_the_largest_value(tmp_path, largest, bits):
    paths = [saved(tmp_path / "a.png", 1), saved(tmp_path / "b.png", largest)]
    assert bits_of(paths) == bits_of(reversed(paths)) == bits


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=3))
def test_what_is_learned_from_is_in_range_and_fewer_bits_would_not_do(tmp_path_factory, values):
    folder = tmp_path_factory.getbasetemp()
    paths = [saved(folder / f"{number}.png", value) for number, value in enumerate(values)]
    bits = bits_of(paths)
    assert max(read_image(path, bits).max() for path in paths) == max(values) >> (bits - 8)
    assert bits == 8 or max(values) >= 2 ** (bits - 2)


def test_only_deeper_images_to_learn_from_count(tmp_path):
    shallow = saved(tmp_path / "shallow.png", 255, np.uint8)
    deep = saved(tmp_path / "deep.png", 4000)
    assert bits_of([shallow], [shallow]) == 8
    assert bits_of([shallow], [deep]) == 16  # their depth is not known: all bits are kept
    assert bits_of([shallow, deep], [saved(tmp_path / "other.png", 60_000)]) == 12


def test_a_damaged_image_teaches_nothing(tmp_path):
    deep, torn = saved(tmp_path / "deep.png", 1000), saved(tmp_path / "torn.png", 60_000)
    torn.write_bytes(torn.read_bytes()[:60])
    assert bits_of([deep, torn]) == 10


def test_of_8_bits_the_depth_changes_nothing(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(colours).save(path := tmp_path / "x.png")
    assert not is_deep(path) and (read_image(path, 8) == colours).all()
    assert (read_values(path) == colours).all()
    path.write_bytes(b"no image")
    assert not is_deep(path)

import json

import numpy as np
import pytest
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.images.category import (
    MARKER,
    Subset,
    as_images,
    dataset_name,
    load_batch,
    load_category,
    mean_grey,
    resize,
)
from anomalylib.images.reading import read_image


def test_a_category_knows_its_images_labels_and_types(category_folder):
    category = load_category(category_folder, "bolt")
    assert category.counts() == {"train/good": 4, "test/good": 2, "test/dent": 2}
    by_name = dict(zip(category.test.names, category.test.labels.tolist(), strict=True))
    assert by_name == {
        "test/dent/000.png": 1,
        "test/dent/001.png": 1,
        "test/good/000.png": 0,
        "test/good/001.png": 0,
    }
    assert category.dataset == "root" and not category.synthetic


def test_masks_are_found_missing_or_empty(category_folder):
    test = load_category(category_folder, "bolt").test
    mask = test.mask(0, 20)
    assert mask.shape == (20, 20) and mask[:10].all() and not mask[10:].any()
    assert test.mask(1, 20) is None  # an anomalous image without a mask
    assert not test.mask(2, 20).any()


def test_a_mask_of_another_size_is_refused(category_folder):
    path = category_folder / "bolt" / "ground_truth" / "dent" / "000_mask.png"
    Image.new("L", (40, 20)).save(path)
    with pytest.raises(UserError, match=r"000_mask\.png has 40 x 20 pixels, its image 40 x 40"):
        load_category(category_folder, "bolt").test.mask(0, 20)


def test_the_fingerprint_follows_every_byte(category_folder):
    before = load_category(category_folder, "bolt").fingerprint
    assert load_category(category_folder, "bolt").fingerprint == before
    path = category_folder / "bolt" / "test" / "good" / "001.png"
    pixels = read_image(path).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    after = load_category(category_folder, "bolt").fingerprint
    assert after != before
    (category_folder / "bolt" / "ground_truth" / "dent" / "000_mask.png").unlink()
    assert load_category(category_folder, "bolt").fingerprint != after


def test_a_batch_has_one_size_and_a_grey_image_three_channels(category_folder, tmp_path):
    train = load_category(category_folder, "bolt").train
    assert load_batch(train, 2, 99, 32).shape == (2, 32, 32, 3)
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == grey[..., None]).all()


def test_shrinking_averages():
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    image = np.repeat(checks[..., None], 3, axis=-1).astype(np.uint8)
    assert np.abs(resize(image, 16).astype(int) - 127).max() < 20


def test_mean_grey_against_numpy():
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 5, 3), dtype=np.uint8)
    assert mean_grey(images) == pytest.approx([image.mean() for image in images])


def test_an_unreadable_image_is_named(category_folder):
    path = category_folder / "bolt" / "train" / "good" / "002.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"cannot read .*002\.png"):
        load_batch(load_category(category_folder, "bolt").train, 0, 4, 32)


def test_what_the_data_are_called(tmp_path):
    (tmp_path / "mvtec_ad_2").mkdir()
    (tmp_path / "mvtec").mkdir()
    assert dataset_name(tmp_path / "mvtec") == ("MVTec AD", False)
    assert dataset_name(tmp_path / "mvtec_ad_2") == ("mvtec_ad_2", False)
    (tmp_path / MARKER).write_text(json.dumps({"name": "drawn", "synthetic": True}))
    assert dataset_name(tmp_path) == ("drawn", True)


IMAGE = np.zeros((9, 12, 3), dtype=np.uint8)
NO_IMAGES = {
    "none": ([], "no images"),
    "float": ([IMAGE, IMAGE / 255], r"image 1 of 2 is float64 \(9, 12, 3\)"),
    "grey": ([IMAGE[..., 0]], r"image 0 of 1 is uint8 \(9, 12\)"),
    "four channels": (np.zeros((2, 9, 12, 4), dtype=np.uint8), r"image 0 of 2 is uint8"),
    "no pixels": ([IMAGE[:0]], r"image 0 of 1 is uint8 \(0, 12, 3\)"),
    "one": (IMAGE, r"one image of shape \(9, 12, 3\)"),
    "a path": ("nut.png", r"'nut.png' is no sequence of images"),
    "paths": (["nut.png"], r"image 0 of 1 is str"),
    "a generator": ((image for image in [IMAGE]), ".* is no sequence of images"),
    "a number": (np.float64(3), ".* is no sequence of images"),
}


@pytest.mark.parametrize("case", NO_IMAGES)
def test_what_is_no_image_is_named_with_what_to_do(case):
    given, message = NO_IMAGES[case]
    with pytest.raises(UserError, match=rf"^{message}.*arrays of uint8"):
        as_images(given)


def test_images_pass_the_door_as_they_are(category_folder):
    train = load_category(category_folder, "bolt").train
    for images in (train, Subset(train, np.array([1])), [IMAGE], (IMAGE, IMAGE[:9]), IMAGE[None]):
        assert as_images(images) is images


def test_a_marker_that_is_damaged_is_one_line(category_folder):
    (category_folder / "drawn-by-anomalylib.json").write_text("{")
    with pytest.raises(UserError, match="is damaged: delete it"):
        load_category(category_folder, "bolt")

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.files import sha256_of
from anomalylib.images.category import (
    MARKER,
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
    (tmp_path / "mvtec").mkdir()
    assert dataset_name(tmp_path / "mvtec") == ("mvtec", False)  # a folder's name proves nothing
    (tmp_path / MARKER).write_text(json.dumps({"name": "drawn", "synthetic": True}))
    assert dataset_name(tmp_path) == ("drawn", True)


def test_mvtec_ad_is_known_by_its_files(tmp_path):
    good, other = tmp_path / "any name", tmp_path / "mvtec_anomaly_detection"
    kinds = {"train/good": 60, "test/good": 12, "test/defective": 30}
    for root, fewer in ((good, 0), (other, 1)):
        for kind, count in kinds.items():
            (root / "toothbrush" / kind).mkdir(parents=True)
            for number in range(count - fewer):
                (root / "toothbrush" / kind / f"{number:03d}.png").write_bytes(b"")
    assert load_category(good, "toothbrush").dataset == "MVTec AD"
    assert load_category(other, "toothbrush").dataset == "mvtec_anomaly_detection"
    (good / MARKER).write_text(json.dumps({"name": "drawn", "synthetic": True}))
    assert load_category(good, "toothbrush").dataset == "drawn"


def test_validation_images_belong_to_the_fingerprint(category_folder):
    before = load_category(category_folder, "bolt")
    assert before.validation is None and before.unused == ()
    (category_folder / "bolt" / "notes.txt").write_text("no image")
    assert load_category(category_folder, "bolt").fingerprint == before.fingerprint
    shutil.copytree(
        category_folder / "bolt" / "test" / "good",
        category_folder / "bolt" / "validation" / "good",
    )
    after = load_category(category_folder, "bolt")
    assert after.unused == ("notes.txt",) and after.fingerprint != before.fingerprint
    assert (after.train.fingerprint, after.test.fingerprint) == (
        before.train.fingerprint,
        before.test.fingerprint,
    )
    assert after.validation.names == ["validation/good/000.png", "validation/good/001.png"]
    assert after.counts() == before.counts() | {"validation/good": 2}


@pytest.fixture
def deep(tmp_path):
    """Own parts of 12 bits, saved with 16: six normal ones and an abnormal one."""
    random = np.random.default_rng(0)
    for kind, count in (("normal", 6), ("abnormal", 1)):
        (tmp_path / "root" / "nut" / kind).mkdir(parents=True)
        for number in range(count):
            values = random.integers(0, 4096, (12, 16)).astype(np.uint16)
            Image.fromarray(values).save(tmp_path / "root" / "nut" / kind / f"{number}.png")
    return tmp_path / "root"


def test_one_depth_holds_for_all_images_of_a_category(deep):
    category = load_category(deep, "nut")
    assert category.train.bits == category.test.bits == 12
    values = np.asarray(Image.open(category.test.paths[-1]))
    assert (category.test[len(category.test) - 1] == (values >> 4)[..., None]).all()
    Image.fromarray(values * 8).save(category.test.paths[-1])
    again = load_category(deep, "nut")
    assert again.train.bits == 12  # what is scored teaches nothing
    with pytest.raises(
        UserError, match=rf"0\.png.*largest value is {values.max() * 8}, beyond 0 to 4095"
    ):
        again.test[len(again.test) - 1]


def test_two_depths_have_two_fingerprints_and_usual_sets_their_own(deep, category_folder):
    train = load_category(deep, "nut").train
    prints = {replace(train, bits=bits).fingerprint for bits in (8, 10, 12, 14, 16)}
    assert len(prints) == 5
    names = zip(train.names, train.paths, strict=True)
    plain = "".join(f"{name} {sha256_of(path)}\n" for name, path in names)
    assert replace(train, bits=16).fingerprint == hashlib.sha256(plain.encode()).hexdigest()
    usual = load_category(category_folder, "bolt").train
    assert usual.bits == 8
    assert replace(usual, bits=16).fingerprint == replace(usual, bits=8).fingerprint


def test_a_mask_that_marks_a_normal_image_is_refused(category_folder):
    masks = category_folder / "bolt" / "ground_truth" / "good"
    masks.mkdir()
    Image.new("L", (40, 40)).save(masks / "001_mask.png")
    test = load_category(category_folder, "bolt").test
    assert not test.mask(3, 20).any()
    Image.new("L", (40, 40), 255).save(masks / "001_mask.png")
    with pytest.raises(UserError, match=r"001_mask\.png marks a defect, and its image lies among"):
        load_category(category_folder, "bolt").test.mask(3, 20)


def test_a_marker_that_is_damaged_is_one_line(category_folder):
    (category_folder / "drawn-by-anomalylib.json").write_text("{")
    with pytest.raises(UserError, match="is damaged: delete it"):
        load_category(category_folder, "bolt")

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.images.category import load_category
from anomalylib.images.masks import files_of, marked, matched

A, B = Path("abnormal/a.png"), Path("abnormal/b.jpg")


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "b.png"),
        ("a_mask.png", "b_mask.png"),
        ("b.BMP", "a_mask.PNG"),
        ("a.tif", "b_mask.jpeg"),
    ],
)
def test_a_mask_has_its_images_name_with_any_suffix(names):
    masks = [Path("masks", name) for name in names]
    found = matched([A, B], masks)
    assert [mask.name[0] for mask in found] == ["a", "b"] and set(found) == set(masks)


def test_an_image_may_have_no_mask_and_names_are_whole():
    assert matched([A, B], [Path("masks/b.png")]) == [None, Path("masks/b.png")]
    for name in ("a1.png", "c.png", "a_mask_mask.png", "A.png", "a_gt.png"):
        with pytest.raises(UserError, match=rf"masks/{name} belongs to no image: abnormal has no"):
            matched([A, B], [Path("masks", name)])


def test_one_mask_an_image_and_one_image_a_mask():
    with pytest.raises(UserError, match=r"a\.png has two masks, m/a\.png and m/a_mask\.bmp"):
        matched([A], [Path("m/a.png"), Path("m/a_mask.bmp")])
    with pytest.raises(UserError, match=r"m/a\.png may belong to a\.png and a\.jpg"):
        matched([A, A.with_suffix(".jpg")], [Path("m/a.png")])
    with pytest.raises(UserError, match=r"m/a_mask\.png may belong to a\.png and a_mask\.png"):
        matched([A, Path("abnormal/a_mask.png")], [Path("m/a_mask.png")])
    assert matched([A, A.with_suffix(".jpg")], []) == [None, None]


@given(st.lists(st.sampled_from("abcde"), unique=True), st.lists(st.sampled_from("abcde")))
def test_every_mask_is_given_or_an_error(images, masks):
    paths = [Path("m", f"{name}.{number}") for number, name in enumerate(masks)]
    try:
        found = matched([Path("i", name) for name in images], paths)
    except UserError:
        assert len(set(masks)) < len(masks) or not set(masks) <= set(images)
        return
    assert sorted(filter(None, found)) == sorted(paths)


def test_an_accent_may_be_written_in_two_ways():
    one, other = (unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD"))
    assert matched([Path(one)], [Path(other)]) == [Path(other)]


@pytest.fixture
def image(tmp_path):
    Image.new("RGB", (16, 12)).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def saved(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


SHAPE = np.zeros((12, 16), dtype=bool)
SHAPE[2:6, 3:9] = True


@pytest.mark.parametrize(
    "pixels",
    [
        SHAPE,
        SHAPE.astype(np.uint8),
        SHAPE * np.uint8(255),
        SHAPE * np.uint8(3),
        SHAPE.astype(np.uint16),
        SHAPE * np.uint16(255),
        SHAPE * np.uint16(65535),
        np.dstack([0 * SHAPE, 0 * SHAPE, SHAPE]).astype(np.uint8) * 255,
        np.dstack([SHAPE, 0 * SHAPE, 0 * SHAPE]).astype(np.uint8) * 128,
        np.dstack([SHAPE] * 4).astype(np.uint8) * 255,
    ],
)
def test_what_is_marked_in_any_channel_and_depth_counts(tmp_path, image, pixels):
    assert (marked(saved(tmp_path / "mask.png", pixels), image) == SHAPE).all()


@given(arrays.arrays(np.uint8, (12, 16)))
def test_a_mask_that_reaches_255_is_cut_at_its_half(tmp_path_factory, values):
    folder = tmp_path_factory.getbasetemp()
    Image.new("RGB", (16, 12)).save(folder / "image.png")
    values[0, 0] = 255
    path = saved(folder / "mask.png", values)
    assert (marked(path, folder / "image.png") == (values > 127)).all()


def test_a_black_mask_marks_nothing(tmp_path, image):
    assert not marked(saved(tmp_path / "mask.png", SHAPE & False), image).any()


def test_an_orientation_holds_for_both_or_is_an_error(tmp_path, image):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(tmp_path / "turned.png", np.zeros((12, 16, 3), np.uint8), exif=exif)
    mask = saved(tmp_path / "mask.png", SHAPE, exif=exif)
    assert (marked(mask, turned) == np.rot90(SHAPE, -1)).all()
    for one, other in ((saved(tmp_path / "plain.png", SHAPE), turned), (mask, image)):
        with pytest.raises(UserError, match=rf"{one} has the EXIF orientation \d, its image \d"):
            marked(one, other)
    upright = saved(tmp_path / "upright.png", np.rot90(SHAPE, -1))
    with pytest.raises(UserError, match="save both upright"):
        marked(upright, turned)


def test_the_masks_in_a_folder_count_together(tmp_path, image):
    folder = tmp_path / "mask"
    folder.mkdir()
    left, right = SHAPE.copy(), SHAPE.copy()
    left[:, 5:], right[:, :5] = False, False
    saved(folder / "000.png", left * np.uint8(255))
    saved(folder / "001.png", right * np.uint8(7))
    (folder / "notes.txt").write_text("not a mask")
    assert (marked(folder, image) == SHAPE).all()
    assert [path.name for path in files_of(folder)] == ["000.png", "001.png"]
    saved(folder / "002.png", left[:6])
    with pytest.raises(UserError, match=r"002\.png has 16 x 6 pixels, its image 16 x 12"):
        marked(folder, image)


@pytest.mark.parametrize("name", ["000.bmp", "000.PNG", "000_mask.png", "000/000.png"])
@pytest.mark.parametrize("layout", ["mvtec", "own"])
def test_the_same_masks_are_taken_in_both_layouts(tmp_path, layout, name):
    own = layout == "own"
    kinds = {"normal": 5} if own else {"train/good": 2, "test/good": 1}
    defect, masks = ("abnormal/dent", "masks/dent") if own else ("test/dent", "ground_truth/dent")
    for kind, count in (kinds | {defect: 1}).items():
        (tmp_path / "root/nut" / kind).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((12, 16), number, np.uint8)
            saved(tmp_path / "root/nut" / kind / f"{number:03d}.png", pixels)
    path = tmp_path / "root/nut" / masks / name
    path.parent.mkdir(parents=True)
    saved(path, SHAPE * np.uint8(1))
    category = load_category(tmp_path / "root", "nut")
    assert (category.test.marked(category.test.defect_types.index("dent")) == SHAPE).all()
    before = category.fingerprint
    saved(path, ~SHAPE * np.uint8(1))
    assert load_category(tmp_path / "root", "nut").fingerprint != before

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from anomalylib.images.category import load_category, mean_grey
from study.datacheck.survey import THUMBNAIL, statistics, survey


@pytest.fixture
def own_folder(tmp_path):
    """Own parts: six images of many kinds, two defective ones, one mask."""
    random = np.random.default_rng(1)
    root = tmp_path / "parts"
    for part, count in (("normal", 6), ("abnormal/dent", 2), ("masks/dent", 0)):
        folder = root / "bolt" / part
        folder.mkdir(parents=True)
        for index in range(count):
            pixels = random.integers(0, 256, (40, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")
    Image.fromarray(np.eye(40, 60, dtype=np.uint8) * 255).save(root / "bolt/masks/dent/0.png")
    return root


def test_every_image_has_its_row_with_its_own_numbers(own_folder):
    category = load_category(own_folder, "bolt")
    found = survey(category)
    assert found.images.image.tolist() == category.train.names + category.test.names
    assert (found.images.set == "train").sum() == len(category.train)
    assert found.images.label.sum() == 2 and (found.images.reason == "").all()
    greys = np.concatenate([mean_grey(category.train), mean_grey(category.test)])
    np.testing.assert_allclose(found.images.mean_grey, greys)
    assert set(zip(found.images.width, found.images.height, strict=True)) == {(60, 40)}
    assert found.thumbnails.shape == (8, THUMBNAIL, THUMBNAIL)
    assert found.masks["mask"].tolist() == ["masks/dent/0.png"]
    assert found.masks.area[0] == pytest.approx(40 / (40 * 60)) and found.masks.reason[0] == ""


def test_what_the_file_is_comes_from_its_head(own_folder):
    folder = own_folder / "bolt" / "normal"
    Image.fromarray(np.full((30, 50), 40_000, dtype=np.uint16)).save(folder / "a.tif")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((30, 50), dtype=np.uint8)).save(folder / "b.jpg", exif=exif)
    images = survey(load_category(own_folder, "bolt")).images.set_index("image")
    said = ["format", "bits", "width", "height", "checksum"]
    assert images.loc["normal/a.tif", said].tolist() == ["TIFF", 16, 50, 30, False]
    assert images.loc["normal/b.jpg", said].tolist() == ["JPEG", 8, 30, 50, False]
    assert images.loc["normal/0.png", said].tolist() == ["PNG", 8, 60, 40, True]
    assert images.mean_grey["normal/a.tif"] == 40_000 >> 8


def test_deep_images_are_seen_at_the_depth_of_their_category(own_folder):
    folder = own_folder / "bolt" / "normal"
    for path in folder.iterdir():
        path.unlink()
    for number in range(6):
        pixels = np.full((30, 50), 1000 + number, dtype=np.uint16)
        Image.fromarray(pixels).save(folder / f"{number}.tif")
    found = survey(load_category(own_folder, "bolt"))
    deep = found.images[found.images.bits == 16]
    assert len(deep) == 6 and set(deep.mean_grey) <= {1000 >> 2, 1004 >> 2}
    assert (found.image(deep.index[0]) == deep.brightest.iloc[0]).all()


def test_validation_images_have_rows_of_their_own(own_folder):
    Image.new("RGB", (60, 40), (9, 9, 9)).save(own_folder / "bolt" / "normal" / "v.png")
    (own_folder / "bolt" / "validation").mkdir()
    (own_folder / "bolt/normal/v.png").rename(own_folder / "bolt/validation/v.png")
    found = survey(load_category(own_folder, "bolt"))
    (row,) = found.images[found.images.set == "validation"].itertuples()
    assert (row.image, row.label, row.mean_grey) == ("validation/v.png", 0, 9)
    assert (found.images.set == "train").sum() + (found.images.set == "test").sum() == 8


def test_what_cannot_be_read_has_its_reason_and_stops_nothing(own_folder):
    (own_folder / "bolt/normal/0.png").write_bytes(b"no image")
    (own_folder / "bolt/normal/notes.txt").write_text("seen on Monday")
    (own_folder / "bolt/normal/.hidden").write_text("")
    (own_folder / "bolt/masks/dent/0.png").write_bytes(b"")
    found = survey(load_category(own_folder, "bolt"))
    (broken,) = found.images[found.images.reason != ""].itertuples()
    assert broken.image == "normal/0.png" and str(own_folder) not in broken.reason
    assert broken.reason.startswith("cannot read normal/0.png as an image")
    assert len(found.read) == 7 and found.read.width.dtype == int
    assert found.unused == ("normal/notes.txt",)
    (mask,) = found.masks.itertuples()
    assert mask.reason.startswith("cannot read masks/dent/0.png as an image")


def test_blur_lowers_sharpness_and_the_lamp_does_not():
    image = np.random.default_rng(2).integers(0, 128, (224, 224, 1), dtype=np.uint8)
    image = np.repeat(image, 3, axis=-1)
    usual = statistics(image)[0]["sharpness"]
    blurred = ndimage.gaussian_filter(image.astype(float), (2, 2, 0)).astype(np.uint8)
    assert statistics(blurred)[0]["sharpness"] < usual / 5
    assert statistics(image * 2)[0]["sharpness"] == pytest.approx(usual)


def test_statistics_are_those_of_their_definitions():
    image = np.random.default_rng(3).integers(0, 200, (224, 224, 3), dtype=np.uint8)
    found, thumbnail = statistics(image)
    grey = image.astype(float).mean(axis=-1)
    assert found["mean_grey"] == pytest.approx(grey.mean())
    assert found["contrast"] == pytest.approx(grey.std(), rel=1e-4)
    assert found["brightest"] == np.quantile(image, 0.999, method="inverted_cdf")
    assert thumbnail[1, 2] == pytest.approx(grey[7:14, 14:21].mean(), rel=1e-4)
    flat = statistics(np.full((20, 20, 3), 9, dtype=np.uint8))[0]
    assert flat["contrast"] == flat["sharpness"] == 0

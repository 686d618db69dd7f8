import numpy as np
import pytest
from PIL import Image, ImageOps

from anomalylib.images.category import MARKER
from anomalylib.images.folders import list_categories
from anomalylib.images.reading import orientation_of
from anomalylib.metrics.image import auroc
from study.parts import bracket
from study.parts.drawing import DEFECTS
from study.parts.synthetic import random_of


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    counts = {"normal": 25, "defect": 5}
    return bracket.ensure_bracket(tmp_path_factory.mktemp("own") / "parts", counts)


def upright(path):
    """An image as it is meant to be seen, grey, 0 to 1."""
    with Image.open(path) as image:
        most = 65535 if image.mode.startswith("I") else 255
        return np.asarray(ImageOps.exif_transpose(image), dtype=float) / most


def files_of(root, part):
    return sorted(p for p in (root / bracket.NAME / part).rglob("*") if p.is_file())


def test_the_folder_is_laid_out_like_own_parts(drawn):
    assert (drawn / MARKER).is_file()
    assert len(files_of(drawn, "normal")) == 25
    kinds = sorted(p.name for p in (drawn / bracket.NAME / "abnormal").iterdir())
    assert tuple(kinds) == bracket.DEFECTS
    images, masks = files_of(drawn, "abnormal"), files_of(drawn, "masks")
    assert len(images) == 5 * len(kinds)
    assert [(p.parent.name, p.stem) for p in images] == [(p.parent.name, p.stem) for p in masks]


def test_a_mask_fits_its_image_and_is_not_empty(drawn):
    for image, mask in zip(files_of(drawn, "abnormal"), files_of(drawn, "masks"), strict=True):
        found = upright(mask)
        assert upright(image).shape[:2] == found.shape
        assert orientation_of(image) == orientation_of(mask)
        assert set(np.unique(found)) == {0, 1} and found.mean() < 0.1


@pytest.mark.parametrize("part", ["normal", "abnormal"])
def test_sound_and_defective_parts_come_in_the_same_mix_of_files(drawn, part):
    paths = files_of(drawn, part)
    opened = [Image.open(path) for path in paths]
    turned = [image.getexif().get(0x0112, 1) == 6 for image in opened]
    found = {
        "jpeg": np.mean([image.format == "JPEG" for image in opened]),
        "turned": np.mean(turned),
        "16 bit": np.mean([image.mode.startswith("I;16") for image in opened]),
        "wide": np.mean([image.size == (320, 240) for image in opened]),
    }
    usual = {"jpeg": 3, "turned": 1, "16 bit": 1, "wide": 2}  # of each 24
    for form, share in found.items():
        assert abs(share - usual[form] / bracket.TURN) < 0.05


def test_a_image_is_the_same_in_every_form(tmp_path):
    image, _ = bracket.photograph("good", random_of("any"))
    stems = {form: tmp_path / form.replace(" ", "") for form in ("png", *bracket.ODD.values())}
    for form, stem in stems.items():
        bracket.save_as(form, image, stem)
    for path in tmp_path.iterdir():
        found = upright(path)
        found = found if found.ndim == 2 else found.mean(axis=-1)
        assert np.abs(found - image).mean() < 0.01, path


def test_brightness_does_not_tell_good_from_bad():
    greys, labels = [], []
    for kind, count in (("good", 24), *((kind, 6) for kind in bracket.DEFECTS)):
        for index in range(count):
            image, _ = bracket.photograph(kind, random_of(f"{kind}{index}"))
            greys.append(image.mean())
            labels.append(int(kind != "good"))
    # 24 against 24 at random: a deviation of 0.085 about one half
    assert abs(auroc(np.array(labels), np.array(greys)) - 0.5) < 0.25


@pytest.mark.parametrize("kind", bracket.DEFECTS)
def test_a_defect_is_small_and_leaves_the_rest_of_the_part_alone(kind):
    part, sound = (
        bracket.draw_bracket(k, np.random.default_rng(7), bracket.SQUARE) for k in (kind, "good")
    )
    changed = np.abs(part - sound) > 0.02
    assert 5 < changed.sum() < 3000
    assert (part != sound).mean() < 0.6  # the same plate at the same place


def test_fewer_images_are_the_same_images_and_none_is_drawn_twice(drawn, tmp_path):
    again = bracket.ensure_bracket(tmp_path / "again", {"normal": 2, "defect": 1})
    for path in files_of(again, "."):
        assert path.read_bytes() == (drawn / path.relative_to(again)).read_bytes()
    stamp = (drawn / MARKER).stat().st_mtime_ns
    bracket.ensure_bracket(drawn, {"normal": 25, "defect": 5})
    assert (drawn / MARKER).stat().st_mtime_ns == stamp


def test_it_is_no_part_of_the_drawn_study(tiny_root):
    assert bracket.NAME not in DEFECTS
    assert bracket.NAME not in list_categories(tiny_root)

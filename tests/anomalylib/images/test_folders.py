import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.images import folders
from anomalylib.images.category import load_category


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def own(tmp_path):
    """Ten normal parts and three abnormal ones, one of them with a mask."""
    for i in range(10):
        picture(tmp_path / "bracket" / "normal" / f"{i}.png", i)
    for i, name in enumerate(("crack/a.png", "crack/b.png", "dent/a.bmp")):
        picture(tmp_path / "bracket" / "abnormal" / name, 100 + i)
    picture(tmp_path / "bracket" / "masks" / "crack" / "b_mask.png", 200)
    return tmp_path


def test_mvtec_and_own_folders_are_categories(own, category_folder):
    assert "bracket" in folders.list_categories(own)
    assert folders.list_categories(category_folder) == ["bolt"]
    with pytest.raises(UserError, match=r"no category 'nut'.*found: bolt"):
        folders.find(category_folder, "nut")


def test_a_fifth_of_the_normal_images_is_held_out(own):
    train, test = folders.find(own, "bracket")
    held_out = [found for found in test if found.defect_type == "good"]
    assert (len(train), len(held_out)) == (8, 2)
    everything = {found.path for found in train} | {found.path for found in held_out}
    assert everything == set((own / "bracket" / "normal").iterdir())
    kinds = [found.defect_type for found in test if found not in held_out]
    assert kinds == ["crack", "crack", "dent"]


def test_the_same_fifth_whatever_the_files_are_called(own):
    def held_out():
        test = load_category(own, "bracket").test
        return {test[i].tobytes() for i in np.flatnonzero(test.labels == 0)}

    before = held_out()
    for i, path in enumerate(sorted((own / "bracket" / "normal").iterdir())):
        path.rename(path.with_name(f"renamed-{9 - i}.png"))
    assert held_out() == before


def test_copies_of_an_image_stay_together(own):
    normal = own / "bracket" / "normal"
    for path in list(normal.iterdir()):
        shutil.copy(path, path.with_name(f"copy-{path.name}"))
    train, test = folders.find(own, "bracket")
    learned = {found.path.read_bytes() for found in train}
    assert not learned & {found.path.read_bytes() for found in test}


def test_masks_go_with_their_images(own):
    _, test = folders.find(own, "bracket")
    masks = {found.path.name: found.mask for found in test if found.defect_type == "crack"}
    assert masks["a.png"] is None and masks["b.png"].name == "b_mask.png"
    flat = own / "flat"
    for i in range(5):
        picture(flat / "normal" / f"{i}.png", i)
    picture(flat / "abnormal" / "7.png", 7)
    picture(flat / "masks" / "7.png", 8)
    abnormal = folders.find(own, "flat")[1][-1]
    assert (abnormal.defect_type, abnormal.mask.parent.name) == ("abnormal", "masks")


def test_without_abnormal_images_all_labels_are_normal(own):
    shutil.rmtree(own / "bracket" / "abnormal")
    category = load_category(own, "bracket")
    assert category.test.labels.tolist() == [0, 0]
    assert category.counts() == {"train/good": 8, "test/good": 2}
    assert len(category.fingerprint) == 64


def test_what_begins_with_a_dot_or_is_no_picture_is_left_out(own):
    normal = own / "bracket" / "normal"
    (normal / "._0.png").write_bytes(b"a Mac was here")
    (normal / "notes.txt").write_text("not a picture")
    picture(normal / "LAST.PNG", 50)
    assert len(folders.images_in(normal)) == 11


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda own: (own / "train" / "good").mkdir(parents=True), "both normal and train/good"),
        (lambda own: picture(own / "abnormal" / "good" / "x.png", 1), "contradicts itself"),
        (lambda own: picture(own / "normal" / "monday" / "x.png", 1), "has folders in it"),
        (lambda own: [p.unlink() for p in (own / "normal").glob("[0-5].png")], "4 images in"),
        (lambda own: (own / "abnormal" / "empty").mkdir(), "no images in .*empty"),
    ],
)
def test_what_cannot_be_meant_is_refused(own, change, said):
    change(own / "bracket")
    with pytest.raises(UserError, match=said):
        folders.find(own, "bracket")


def test_the_part_itself_in_place_of_the_folder_above_is_recognised(own):
    with pytest.raises(UserError, match=rf"DATA_ROOT={own} CATEGORIES=bracket"):
        folders.find(own / "bracket", "bracket")
    with pytest.raises(UserError, match=r"no data folder at .*nowhere"):
        folders.find(own / "nowhere", "bracket")


def test_mvtec_folders_without_defects_or_without_good_parts(category_folder):
    bolt = category_folder / "bolt"
    (bolt / "test" / "dent").rename(category_folder / "away")
    assert load_category(category_folder, "bolt").test.labels.tolist() == [0, 0]
    (bolt / "test" / "good").rename(bolt / "test" / "dent")
    with pytest.raises(UserError, match="needs a folder good"):
        load_category(category_folder, "bolt")


@given(st.lists(st.integers(0, 30), min_size=5, max_size=40))
def test_every_normal_image_is_on_one_side(tmp_path_factory, contents):
    root = tmp_path_factory.mktemp("any")
    normal = root / "part" / "normal"
    normal.mkdir(parents=True)
    for i, content in enumerate(contents):
        (normal / f"{i}.png").write_text(str(content))
    try:
        train, held_out = folders.find(root, "part")
    except UserError as error:
        assert "copies of each other" in str(error)
        return
    sides = [{found.path.read_text() for found in side} for side in (train, held_out)]
    assert not sides[0] & sides[1]
    assert len(train) + len(held_out) == len(contents) and min(len(train), len(held_out)) > 0

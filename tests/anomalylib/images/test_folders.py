import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.images import folders
from anomalylib.images.category import load_category
from anomalylib.images.reading import SUFFIXES, UNREAD


def image(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format=None if path.suffix in {".png", ".bmp"} else "PNG")


@pytest.fixture
def own(tmp_path):
    """Ten normal parts and three abnormal ones, one of them with a mask."""
    for i in range(10):
        image(tmp_path / "bracket" / "normal" / f"{i}.png", i)
    for i, name in enumerate(("crack/a.png", "crack/b.png", "dent/a.bmp")):
        image(tmp_path / "bracket" / "abnormal" / name, 100 + i)
    image(tmp_path / "bracket" / "masks" / "crack" / "b_mask.png", 200)
    return tmp_path


def test_mvtec_and_own_folders_are_categories(own, category_folder):
    (own / ".trash" / "normal").mkdir(parents=True)
    assert folders.list_categories(own) == ["bracket"]
    assert folders.list_categories(category_folder) == ["bolt"]
    with pytest.raises(UserError, match=r"no category 'nut'.*found: bolt"):
        folders.find(category_folder, "nut")


def test_a_fifth_of_the_normal_images_is_held_out(own):
    found = folders.find(own, "bracket")
    held_out = [image for image in found.test if image.defect_type == "good"]
    assert (len(found.train), len(held_out)) == (8, 2)
    everything = {image.path for image in [*found.train, *held_out]}
    assert everything == set((own / "bracket" / "normal").iterdir())
    kinds = [image.defect_type for image in found.test if image not in held_out]
    assert kinds == ["crack", "crack", "dent"]
    assert found.validation == [] and found.unused == ()


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
    found = folders.find(own, "bracket")
    learned = {image.path.read_bytes() for image in found.train}
    assert not learned & {image.path.read_bytes() for image in found.test}


def test_masks_go_with_their_images(own):
    test = folders.find(own, "bracket").test
    masks = {found.path.name: found.mask for found in test if found.defect_type == "crack"}
    assert masks["a.png"] is None and masks["b.png"].name == "b_mask.png"
    flat = own / "flat"
    for i in range(5):
        image(flat / "normal" / f"{i}.png", i)
    image(flat / "abnormal" / "7.png", 7)
    image(flat / "masks" / "7.png", 8)
    abnormal = folders.find(own, "flat").test[-1]
    assert (abnormal.defect_type, abnormal.mask.parent.name) == ("abnormal", "masks")


def test_without_abnormal_images_all_labels_are_normal(own):
    shutil.rmtree(own / "bracket" / "abnormal")
    shutil.rmtree(own / "bracket" / "masks")
    category = load_category(own, "bracket")
    assert category.test.labels.tolist() == [0, 0]
    assert category.counts() == {"train/good": 8, "test/good": 2}
    assert len(category.fingerprint) == 64


@pytest.mark.parametrize("name", ["bracket", "bolt"])
def test_what_is_not_used_is_named_and_what_the_system_left_is_not(own, category_folder, name):
    root = own if name == "bracket" else category_folder
    folder, first = root / name, "normal" if name == "bracket" else "train/good"
    before = folders.find(root, name)
    for left in ("._0.png", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/0.png"):
        image(folder / first / left, 1)
    image(folder / ".ipynb_checkpoints" / "0.png", 1)
    assert folders.find(root, name) == before
    (folder / first / "notes.txt").write_text("not an image")
    (folder / "readme").write_text("not an image")
    (folder / "videos" / "monday").mkdir(parents=True)
    (folder / "videos" / "monday" / "line.mp4").write_text("not an image")
    image(folder / "overview.png", 1)
    found = folders.find(root, name)
    assert found.unused == tuple(
        sorted([f"{first}/notes.txt", "overview.png", "readme", "videos/"], key=folders._parts)
    )
    assert found._replace(unused=()) == before


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_that_is_read_is_taken(own, suffix):
    image(own / "bracket" / "normal" / f"LAST{suffix.upper()}", 50)
    found = folders.find(own, "bracket")
    assert len(found.train) + sum(image.defect_type == "good" for image in found.test) == 11


def moved(start, end):
    return lambda own: (own / end).parent.mkdir(exist_ok=True) or (own / start).rename(own / end)


def added(*names):
    return lambda own: [image(own / name, 300 + i) for i, name in enumerate(names)]


REFUSED_OWN = {
    "both": (lambda own: (own / "train/good").mkdir(parents=True), "both normal and train/good"),
    "few": (lambda own: [p.unlink() for p in (own / "normal").glob("[0-5].png")], "4 images in"),
    "deeper": (added("normal/monday/x.png"), "normal is taken without the folders in it"),
    "two deep": (added("abnormal/crack/a/b/x.png"), "abnormal/crack is taken without"),
    "good": (added("abnormal/good/x.png"), "says 'good': move them to .*/normal if"),
    "ok": (added("abnormal/OK/x.png"), "says 'OK': move them to .*/normal if they are normal"),
    "defective": (added("defective/x.png"), "defective holds images, .*perhaps to abnormal,"),
    "Abnormal": (added("Abnormal/x.png"), "Abnormal holds images, .*perhaps to abnormal,"),
    "nok": (added("nok/x.jpg"), "nok holds images, .*perhaps to abnormal,"),
    "misspelt": (added("abnromal/x.png"), "abnromal holds images, .*perhaps to abnormal,"),
    "normal_test": (added("normal_test/x.png"), "normal_test holds images, .*perhaps to normal,"),
    "test/good": (added("test/good/x.png"), "test/good holds images, .*perhaps to normal,"),
    "val": (added("val/x.png"), "val holds images, .*perhaps to validation,"),
    "gt": (added("ground_truth/x.png"), "ground_truth holds images, .*perhaps to masks,"),
    "unheard of": (added("misc/x.png"), "misc holds images, .*: rename it, or move it out of"),
    "masks/crak": (added("masks/crak/a.png"), "masks/crak holds.*perhaps to masks/crack,"),
    "unread": (added("normal/x.HEIC"), r"x\.HEIC is of a format that is not read: save it as PNG"),
    "link": (lambda own: (own / "normal/x.png").symlink_to("gone"), "x.png is a link to nothing"),
    "loop": (lambda own: (own / "normal/all").symlink_to(own), "all leads back to a folder above"),
    "control": (added("normal/a\nb.png"), r"a name that cannot be written, 'a\\nb.png'"),
    "mask alone": (added("masks/crack/c.png"), "crack/c.png belongs to no image"),
}


@pytest.mark.parametrize("case", REFUSED_OWN)
def test_what_cannot_be_meant_is_refused(own, case):
    change, said = REFUSED_OWN[case]
    change(own / "bracket")
    with pytest.raises(UserError, match=said) as caught:
        folders.find(own, "bracket")
    assert "\n" not in str(caught.value)


REFUSED_MVTEC = {
    "train deeper": (added("train/good/cam1/x.png"), "train/good is taken without the folders"),
    "test deeper": (added("test/dent/a/x.png"), "test/dent is taken without the folders"),
    "train/ok": (added("train/ok/x.png"), "train/ok holds.*perhaps to train/good,"),
    "train/bad": (added("train/bad/x.png"), "train/bad holds.*perhaps to test/bad,"),
    "train/monday": (added("train/monday/x.png"), "train/monday holds.*perhaps to train/good,"),
    "loose": (added("test/x.png"), "test holds images.*perhaps to test/good or test/<defect type>"),
    "test/ok": (added("test/ok/x.png"), "test/ok holds.*move them to .*test/good if they are"),
    "test/Good": (added("test/Good/x.png"), "test/Good holds.*move them to .*test/good if they"),
    "test/normals": (added("test/normals/x.png"), "test/normals holds.*test/good if they are"),
    "Test/good": (added("Test/good/x.png"), "Test/good holds.*perhaps to test/good,"),
    "test_public": (added("testing/dent/x.png"), "testing/dent holds.*perhaps to test/dent,"),
    "no such type": (added("ground_truth/dents/x.png"), "perhaps to ground_truth/dent,"),
    "loose masks": (added("ground_truth/x.png"), "ground_truth/<defect type>"),
    "own words": (added("abnormal/x.png"), "abnormal holds.*perhaps to test/<defect type>,"),
    "validation": (added("validation/bad/x.png"), "validation is taken without"),
}


@pytest.mark.parametrize("case", REFUSED_MVTEC)
def test_the_same_holds_for_mvtec_folders(category_folder, case):
    change, said = REFUSED_MVTEC[case]
    change(category_folder / "bolt")
    with pytest.raises(UserError, match=said) as caught:
        folders.find(category_folder, "bolt")
    assert "\n" not in str(caught.value)


PLACES = ["", "normal", "abnormal", "abnormal/dent", "masks", "other", "normal/deep", "test/good"]
NAMES = ["x.png", "x.JPE", "x.heic", "notes.txt", "x", ".x.png"]


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(NAMES)), max_size=4))
def test_every_file_is_used_or_named(tmp_path_factory, extra):
    root = tmp_path_factory.mktemp("any")
    for number in range(5):
        image(root / "part" / "normal" / f"{number}.png", number)
    for number, (place, name) in enumerate(extra):
        image(root / "part" / place / name, 100 + number)
    try:
        found = folders.find(root, "part")
    except UserError as error:
        assert str(root / "part") in str(error)
        return
    assert not {"other", "normal/deep", "test/good"} & {
        place for place, name in extra if name in ("x.png", "x.JPE", "x.heic")
    }
    used = {image.path for image in [*found.train, *found.test]}
    used |= {image.mask for image in found.test if image.mask}
    for path in folders.files_below(root / "part"):
        inside = path.relative_to(root / "part").as_posix()
        named = any(f"{inside}/".startswith(name.rstrip("/") + "/") for name in found.unused)
        assert (path in used) != named


def test_files_below_are_those_at_any_depth(tmp_path):
    image(tmp_path / "b" / "c" / "x.png", 1)
    image(tmp_path / "a.png", 1)
    (tmp_path / "b" / "notes.txt").write_text("")
    (tmp_path / "b" / "gone.png").symlink_to("nowhere")
    image(tmp_path / ".git" / "x.png", 1)
    found = [path.relative_to(tmp_path).as_posix() for path in folders.files_below(tmp_path)]
    assert found == ["a.png", "b/c/x.png", "b/gone.png", "b/notes.txt"]


def test_validation_images_are_neither_learned_from_nor_judged(own, category_folder):
    image(own / "bracket" / "validation" / "v.png", 60)
    image(category_folder / "bolt" / "validation" / "good" / "v.png", 60)
    for root, name, inside in ((own, "bracket", "v.png"), (category_folder, "bolt", "good/v.png")):
        found = folders.find(root, name)
        assert [image.path for image in found.validation] == [root / name / "validation" / inside]
        assert not {image.path for image in found.validation} & {
            image.path for image in [*found.train, *found.test]
        }


def test_the_part_itself_in_place_of_the_folder_above_is_recognised(own):
    with pytest.raises(UserError, match=rf"DATA_ROOT={own} CATEGORIES=bracket"):
        folders.find(own / "bracket", "bracket")
    with pytest.raises(UserError, match=r"no data folder at .*nowhere"):
        folders.find(own / "nowhere", "bracket")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Normal", "normal"), ("good", "normal"), ("training/good", "train/good"), ("ok", "normal")],
)
def test_a_folder_that_is_nearly_a_category_is_told_what_is_missing(tmp_path, name, meant):
    image(tmp_path / "nut" / name / "0.png", 1)
    with pytest.raises(UserError, match=rf"no category 'nut'.*is {meant} meant\?"):
        folders.find(tmp_path, "nut")


def test_mvtec_folders_without_defects_or_without_good_parts(category_folder):
    bolt = category_folder / "bolt"
    shutil.rmtree(bolt / "ground_truth")
    (bolt / "test" / "dent").rename(category_folder / "away")
    assert load_category(category_folder, "bolt").test.labels.tolist() == [0, 0]
    (bolt / "test" / "good").rename(bolt / "test" / "dent")
    with pytest.raises(UserError, match="needs a folder good"):
        load_category(category_folder, "bolt")
    shutil.rmtree(bolt / "train" / "good")
    (bolt / "train" / "good").mkdir()
    with pytest.raises(UserError, match=r"no images in .*train/good: put 1 or more there"):
        load_category(category_folder, "bolt")


@given(st.lists(st.integers(0, 30), min_size=5, max_size=40))
def test_every_normal_image_is_on_one_side(tmp_path_factory, contents):
    root = tmp_path_factory.mktemp("any")
    normal = root / "part" / "normal"
    normal.mkdir(parents=True)
    for i, content in enumerate(contents):
        (normal / f"{i}.png").write_text(str(content))
    try:
        found = folders.find(root, "part")
    except UserError as error:
        assert "copies of each other" in str(error)
        return
    sides = [{image.path.read_text() for image in side} for side in (found.train, found.test)]
    assert not sides[0] & sides[1]
    assert sum(map(len, found[:2])) == len(contents) and min(map(len, found[:2])) > 0


def test_no_suffix_is_both_read_and_not_read():
    assert not SUFFIXES & UNREAD
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in SUFFIXES | UNREAD)

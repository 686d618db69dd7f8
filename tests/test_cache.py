import numpy as np
import pytest

from anomalylib import cache
from anomalylib.cache import features_of
from anomalylib.data import Subset, load_category
from anomalylib.errors import StudyError


def test_features_are_computed_once_and_read_back(category_folder, extractor, tmp_path):
    images = load_category(category_folder, "bolt").train
    first = features_of(extractor, images, tmp_path / "cache")
    assert first.shape == (4, 128, 8, 8) and first.dtype == np.float16
    extractor.forward = None  # would fail if it were called again
    again = features_of(extractor, images, tmp_path / "cache")
    assert isinstance(again, np.memmap)
    assert (again == first).all()


def test_cached_features_are_those_of_the_images_in_memory(category_folder, extractor, tmp_path):
    images = load_category(category_folder, "bolt").test
    in_memory = [images[i] for i in range(len(images))]
    cached = features_of(extractor, images, tmp_path / "cache")
    assert (features_of(extractor, in_memory) == cached).all()


def test_changed_images_get_other_features(category_folder, extractor, tmp_path):
    category = load_category(category_folder, "bolt")
    features_of(extractor, category.train, tmp_path / "cache")
    features_of(extractor, category.test, tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2


def test_an_extraction_cut_short_leaves_nothing_to_read(category_folder, extractor, tmp_path):
    images = load_category(category_folder, "bolt").train
    broken = category_folder / "bolt" / "train" / "good" / "003.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    with pytest.raises(StudyError):
        features_of(extractor, images, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))
    broken.write_bytes(whole)
    fresh = load_category(category_folder, "bolt").train
    assert len(features_of(extractor, fresh, tmp_path / "cache")) == 4


def test_what_a_killed_run_has_left_is_cleared(category_folder, extractor, tmp_path):
    images = load_category(category_folder, "bolt").train
    first = features_of(extractor, images, tmp_path)
    (done,) = tmp_path.glob("*.npy")
    expected = first.copy()
    done.unlink()
    left = tmp_path / f".{done.stem}-x.partial.npy"
    left.write_text("half")
    assert (features_of(extractor, images, tmp_path) == expected).all()
    assert done.is_file() and not left.exists()


def test_changed_code_makes_new_features(category_folder, extractor, tmp_path, monkeypatch):
    images = load_category(category_folder, "bolt").train
    features_of(extractor, images, tmp_path)
    monkeypatch.setattr(cache, "CODE", "another version of the extractor")
    features_of(extractor, images, tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_a_subset_reads_the_features_of_the_whole(category_folder, extractor, tmp_path):
    images = load_category(category_folder, "bolt").train
    whole = features_of(extractor, images, tmp_path / "cache")
    extractor.forward = None  # would fail if it were called again
    some = features_of(extractor, Subset(images, np.array([3, 1])), tmp_path / "cache")
    assert (some == whole[[3, 1]]).all()

import numpy as np
import pytest
import torch

from anomalylib.errors import UserError
from anomalylib.features import cache
from anomalylib.features.cache import OnDisk, features_of, learned, pixels_of
from anomalylib.images.category import Subset, load_batch, load_category


def test_features_are_computed_once_and_read_back(category_folder, extractor, tmp_path):
    images = load_category(category_folder, "bolt").train
    first = features_of(extractor, images, tmp_path / "cache")
    assert first.shape == (4, 8, 8, 128) and first.dtype == np.float16
    extractor.forward = None  # would fail if it were called again
    again = features_of(extractor, images, tmp_path / "cache")
    assert (again[:] == first[:]).all()


def test_cached_features_are_those_of_the_images_in_memory(category_folder, extractor, tmp_path):
    images = load_category(category_folder, "bolt").test
    in_memory = [images[i] for i in range(len(images))]
    cached = features_of(extractor, images, tmp_path / "cache")
    assert (features_of(extractor, in_memory) == cached[:]).all()


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
    with pytest.raises(UserError):
        features_of(extractor, images, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))
    broken.write_bytes(whole)
    fresh = load_category(category_folder, "bolt").train
    assert len(features_of(extractor, fresh, tmp_path / "cache")) == 4


def test_changed_code_makes_new_features(category_folder, extractor, tmp_path, monkeypatch):
    images = load_category(category_folder, "bolt").train
    features_of(extractor, images, tmp_path)
    monkeypatch.setattr(cache, "code", lambda: "another version of the extractor")
    features_of(extractor, images, tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_a_subset_reads_the_features_of_the_whole(category_folder, extractor, tmp_path):
    images = load_category(category_folder, "bolt").train
    whole = features_of(extractor, images, tmp_path / "cache")
    extractor.forward = None  # would fail if it were called again
    some = features_of(extractor, Subset(images, np.array([3, 1])), tmp_path / "cache")
    assert (some[:] == whole[np.array([3, 1])]).all()


def test_features_are_the_extractors_with_channels_last(category_folder, extractor, tmp_path):
    images = load_category(category_folder, "bolt").train
    maps = extractor(load_batch(images, 0, 4, extractor.image_size)).numpy()
    kept = features_of(extractor, images, tmp_path)[:]
    assert np.array_equal(kept, maps.transpose(0, 2, 3, 1).astype(np.float16))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 17])
def test_no_image_is_lost_or_moved_between_batches(count, tmp_path):
    images = [np.full((6, 6, 3), number, np.uint8) for number in range(count)]
    assert pixels_of(images, 6, tmp_path)[:, 0, 0, 0].tolist() == list(range(count))


def test_pixels_are_decoded_once(category_folder, tmp_path):
    images = load_category(category_folder, "bolt").train
    first = pixels_of(images, 32, tmp_path)[:]
    assert np.array_equal(first, load_batch(images, 0, 99, 32))
    for path in images.paths:
        path.unlink()
    assert np.array_equal(pixels_of(images, 32, tmp_path)[:], first)


def test_an_array_in_a_file_is_indexed_like_one_in_memory(tmp_path):
    whole = np.random.default_rng(0).normal(size=(9, 3, 4)).astype(np.float16)
    np.save(tmp_path / "a.npy", whole)
    stored = OnDisk(tmp_path / "a.npy")
    some = OnDisk(tmp_path / "a.npy", np.array([7, 2, 5]))
    assert stored.shape == whole.shape and len(stored) == 9 and len(some) == 3
    for index in (0, -1, slice(2, 5), slice(6, 99), np.array([4, 4, 0])):
        assert np.array_equal(stored[index], whole[index])
    for index in (1, slice(1, None), np.array([2, 0])):
        assert np.array_equal(some[index], whole[[7, 2, 5]][index])
    with pytest.raises(IndexError):
        stored[9]


@pytest.mark.parametrize("damage", [lambda b: b[:-8], lambda b: b[:20], lambda b: b"nothing"])
def test_a_file_that_is_damaged_or_pickled_is_not_read(damage, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 8)))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match="cut short: delete it"):
        OnDisk(path)
    np.save(path, np.array([{}], dtype=object))
    with pytest.raises(UserError, match="no array"):
        OnDisk(path)


def test_what_was_learned_is_read_back(tmp_path):
    calls = []

    def learn():
        calls.append(1)
        return {"a": torch.arange(3.0), "b": torch.tensor(2)}

    first, again = (learned("said", learn, tmp_path) for _ in range(2))
    assert len(calls) == 1
    assert torch.equal(first["a"], again["a"]) and torch.equal(first["b"], again["b"])
    learned("said otherwise", learn, tmp_path)
    assert len(calls) == 2


def test_a_damaged_file_of_what_was_learned_is_named(tmp_path):
    learned("key", lambda: {"a": torch.arange(3.0)}, tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match=f"{path.name} is damaged: delete it"):
        learned("key", dict, tmp_path)

import numpy as np
import pytest

from anomalylib.images.category import load_category, mean_grey
from study.runs import controls


@pytest.fixture
def bolt(category_folder):
    return load_category(category_folder, "bolt")


def test_every_image_gets_the_mean_grey_of_the_training_set(bolt):
    level = mean_grey(bolt.train).mean()
    matched = controls.brightness_normalised(bolt)
    assert not np.allclose(mean_grey(bolt.test), level, atol=0.5)
    assert np.allclose(mean_grey(matched.test), level, atol=0.5)
    assert np.allclose(mean_grey(matched.train), level, atol=0.5)


def test_matching_multiplies_and_keeps_labels_and_masks(bolt):
    matched = controls.brightness_normalised(bolt)
    before, after = bolt.test[0].astype(float), matched.test[0].astype(float)
    factor = matched.test.level / before.mean()
    assert np.abs(after - np.minimum(before * factor, 255)).max() <= 0.5
    assert matched.test.defect_types == bolt.test.defect_types
    assert np.array_equal(matched.test.mask(0, 40), bolt.test.mask(0, 40))


def test_matched_images_have_a_fingerprint_of_their_own(bolt):
    matched = controls.brightness_normalised(bolt)
    assert matched.test.fingerprint != bolt.test.fingerprint
    again = controls.brightness_normalised(bolt)
    assert matched.test.fingerprint == again.test.fingerprint


def test_contrast_is_the_deviation_of_the_grey_values(bolt):
    mean, contrast = controls.greys(bolt.test)
    assert mean.tolist() == mean_grey(bolt.test).tolist()
    expected = [image.astype(float).mean(axis=-1).std() for image in bolt.test]
    assert contrast == pytest.approx(expected)


def test_file_size_is_that_on_disk(bolt):
    assert controls.file_size(bolt.test).tolist() == [
        len(path.read_bytes()) for path in bolt.test.paths
    ]


def test_untrained_weights_follow_their_seed(tmp_path):
    import safetensors.torch

    files = [controls.random_resnet50(tmp_path / str(i), seed) for i, seed in enumerate((0, 0, 1))]
    first, same, other = (safetensors.torch.load_file(path)["conv1.weight"] for path in files)
    assert first.equal(same)
    assert not first.equal(other)
    assert not any(name.startswith("layer4") for name in safetensors.torch.load_file(files[0]))

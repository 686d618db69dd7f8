"""A small detector in a file, and an empty folder to watch."""

import pytest

from anomalylib.deploy.saving import save
from anomalylib.detectors.autoencoder import Autoencoder
from tests.anomalylib.drawn import NORMAL


@pytest.fixture(scope="module")
def detector_file(tmp_path_factory):
    """A small image autoencoder, which needs no backbone."""
    detector = Autoencoder(side=32, epochs=2, code=8).fit(NORMAL)
    return save(detector, tmp_path_factory.mktemp("detector") / "small.safetensors")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "new"
    path.mkdir()
    return path

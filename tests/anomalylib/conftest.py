"""Fixtures of the tests of the library."""

import pytest

from tests.anomalylib.drawn import Pair, saved_program


@pytest.fixture(scope="session")
def he_file(tmp_path_factory):
    """A program with the maps of ResNet-50 of He et al., and random weights."""
    return saved_program(Pair(), tmp_path_factory.mktemp("he") / "pair.pt2")

"""Fixtures of the tests of the library."""

import pytest
import torch

from tests.anomalylib.drawn import Pair, saved_program


@pytest.fixture(scope="session")
def he_file(tmp_path_factory):
    """A program that passes for ResNet-50 of He et al.; its weights are random."""
    torch.manual_seed(0)
    return saved_program(Pair(), tmp_path_factory.mktemp("he") / "pair.pt2")

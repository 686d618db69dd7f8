"""Drawn tables of the reference results, and no figure left open."""

import pytest

from tests.study.drawn import reference_tables


@pytest.fixture(scope="session")
def made():
    """Scores, normal scores, summary and decisions of one category, every model and control."""
    return reference_tables()


@pytest.fixture(autouse=True)
def _closed(no_open_figures):
    """Close what a test has drawn."""

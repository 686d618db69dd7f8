"""The tool checked before `make faults` uses it: the same functions, fewer or smaller tries."""

import pytest

from tests.faults import (
    __main__,
    archives,
    damage,
    disks,
    images,
    injection,
    kills,
    mixups,
    numbers,
    paths,
    watch,
    weights,
)
from tests.faults.common import Setup, Skipped, Tried

QUICK = [
    (kills.cache_write, kills.KILLS),
    (disks.full_while_writing, 5),
    (paths.categories, 20),
    (images.damaged_png, 300),
    (images.damaged_jpeg, 200),
    (images.damaged_others, 700),
    (images.unusual_images, 8),
    (images.images_to_refuse, 15),
    (images.masks_that_do_not_fit, 5),
    (archives.members_that_lead_out, 20),
    (archives.archives_too_large, 2),
    (weights.pickles_in_pth, 4),
    (weights.code_in_exported_programs, 15),
    (weights.malformed_safetensors, 15),
    (weights.pickles_in_arrays, 6),
    (injection.settings_of_make, 50),
    (injection.parameters_of_notebooks, 10),
    (injection.values_of_params, 10),
    (numbers.spoilt_features, 4),
    (numbers.spoilt_scores, 6),
    (damage.notebooks_that_end_badly, 5),
    (mixups.twins, 6),
    (watch.arrivals, 60),
]


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    return Setup(tmp_path_factory.mktemp("faults"), quick=True)


@pytest.mark.parametrize(("fault", "least"), QUICK, ids=lambda own: getattr(own, "__name__", ""))
def test_nothing_is_lost(fault, least, setup):
    try:
        found = fault(setup)
    except Skipped as why:
        pytest.skip(str(why))
    assert found.tried >= least
    assert found.lost == 0, found


def test_a_fault_that_costs_something_is_counted(monkeypatch, tmp_path):
    def lossy(setup):
        """A lossy fault."""
        return Tried(1, "lost", 1)

    monkeypatch.setattr(archives, "FAULTS", (lossy,))
    assert __main__.tried(["archives"], Setup(tmp_path)) == [
        ("A lossy fault", 1, "not so: lost", 1)
    ]


def test_a_fault_that_cannot_be_tried_to_its_end_is_counted_and_the_next_one_tried(
    monkeypatch, tmp_path
):
    def broken(setup):
        """A broken fault."""
        raise ValueError("so")

    def sound(setup):
        """A sound fault."""
        return Tried(2, "well", 0)

    monkeypatch.setattr(archives, "FAULTS", (broken, sound))
    assert __main__.tried(["archives"], Setup(tmp_path)) == [
        ("A broken fault", 0, "not so: ValueError: so", 1),
        ("A sound fault", 2, "well", 0),
    ]

"""A small part of what `make faults` tries: the same functions, fewer or smaller tries."""

import csv
import importlib

import pytest

from anomalylib.errors import UserError, first_line
from anomalylib.files import written_whole
from anomalylib.images.category import load_category
from study.book.pages import FAULTS
from tests.faults import (
    __main__,
    archives,
    damage,
    disks,
    images,
    injection,
    kills,
    numbers,
    paths,
    weights,
)
from tests.faults.__main__ import COLUMNS, SECTIONS, TABLE
from tests.faults.common import Setup, Skipped, Tried

QUICK = [
    (kills.cache_write, kills.KILLS),
    (disks.full_while_writing, 5),
    (paths.categories, 20),
    (images.damaged_png, 300),
    (images.damaged_jpeg, 200),
    (images.damaged_others, 700),
    (images.unusual_pictures, 8),
    (images.pictures_to_refuse, 15),
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


def named():
    """What the table calls the faults of all sections, in their order."""
    for section in SECTIONS:
        for fault in importlib.import_module(f"tests.faults.{section}").FAULTS:
            yield fault.__doc__.splitlines()[0].rstrip(".")


def test_the_table_is_that_of_the_book_has_every_fault_and_nothing_was_lost():
    assert TABLE.name == FAULTS
    with TABLE.open(newline="") as file:
        first, *rows = csv.reader(file)
    assert tuple(first) == COLUMNS and [row[0] for row in rows] == list(named())
    assert [row for row in rows if row[-1] != "0"] == []
    kills = [int(row[1]) for row in rows if row[0].startswith("kill -9")]
    assert len(kills) == 5 and min(kills) >= 20


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


def test_a_full_or_shut_disk_is_said_with_what_to_do():
    full = OSError(28, "No space left on device", "/x")
    assert first_line(full) == (
        "the disk is full ([Errno 28] No space left on device: '/x'): free some space and run again"
    )
    assert first_line(PermissionError(13, "Permission denied", "/x")).startswith("no access (")
    assert first_line(UserError("as it is")) == "as it is"


def test_only_what_dead_processes_have_left_is_cleared(tmp_path):
    path = tmp_path / "a.json"
    with written_whole(path) as first:
        first.write_text("1")
        dead = first.with_name(first.name.replace(f"-{first.name.split('-')[2]}-", "-999999999-"))
        dead.write_text("half")
        with written_whole(path) as second:
            second.write_text("2")
            assert first.exists() and not dead.exists()
    assert path.read_text() == "1" and list(tmp_path.iterdir()) == [path]


def test_a_marker_that_is_damaged_is_one_line(category_folder):
    (category_folder / "drawn-by-anomalylib.json").write_text("{")
    with pytest.raises(UserError, match="is damaged: delete it"):
        load_category(category_folder, "bolt")

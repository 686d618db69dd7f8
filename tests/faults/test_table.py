"""The table of faults that the book shows: all that are tried, and nothing lost by any."""

import csv
import importlib

from study.book.pages import FAULTS
from tests.faults.__main__ import COLUMNS, SECTIONS, TABLE


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

"""Two runs at once on one cache and one build folder."""

from tests.faults import common, references
from tests.faults.common import Setup, Tried


def two_books(setup: Setup) -> Tried:
    """Two `make book` at once in one folder"""
    study = setup.study("together")
    first = common.start(study, "book", *common.small())
    second = common.start(study, "book", *common.small())
    codes = [process.wait() for process in (first, second)]
    lost = sum(code != 0 for code in codes) + common.differences(study, setup.built)
    return Tried(2, f"{codes.count(0)} ended well, with the results of one alone", lost)


def two_references(setup: Setup) -> Tried:
    """Two `make reference` at once on one folder of runs"""
    calm = references.undisturbed(setup)
    study = setup.study("references", whole=True)
    begun = [common.start(study, *references.words(setup, output)) for output in ("one", "other")]
    codes = [process.wait() for process in begun]
    lost = sum(code != 0 for code in codes) + len(common.partials(study))
    lost += sum(references.differences(study / name, calm.tables) for name in ("one", "other"))
    return Tried(2, f"{codes.count(0)} ended well, with the tables of one alone", lost)


FAULTS = (two_books, two_references)

"""One name for two things: data roots that are swapped, categories that are twins."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.files import sha256_of
from anomalylib.images.category import load_category
from study.tables.results import load_result as load
from study.tables.results import result_path, tabulate
from tests.faults import common
from tests.faults.common import Setup, Tried

LINES = ("line1", "line2")
TWINS = ("a_b a-b", "Nut nut", "ü u\u0308", "STRASSE straße", "x ﬁn fin", "İ y i\u0307")


def swapped_roots(setup: Setup) -> Tried:
    """Two folders `parts` with other images of one category, one after the other, and again"""
    study = setup.study("swapped")
    roots = [study / "data" / line / "parts" for line in LINES]
    for root in roots:
        shutil.copytree(study / "data" / "parts" / "metal_nut", root / "metal_nut")
    for path in (roots[1] / "metal_nut" / "train").rglob("*.png"):
        darker = np.asarray(Image.open(path)) // 2
        Image.fromarray(darker).save(path)
    kept, lost, executed = {}, 0, 0
    for root in (*roots, *roots):
        own = {"data-root": str(root.relative_to(study))}
        lost += common.run(study, "notebooks", *common.small(**own)).code != 0
        there = {path: sha256_of(path) for path in _made(study) if path.name != "summary.ipynb"}
        lost += sum(there.get(path) != content for path, content in kept.items())
        executed, kept = len(there.keys() - kept.keys()), there
    lost += executed != 0  # the last time all was there
    lost += _joined(study, roots)
    said = "each keeps its results and detectors, and no table joins them"
    return Tried(2 * len(roots), said, lost)


def twins(setup: Setup) -> Tried:
    """Categories whose names a page or a file system takes for one"""
    from study.book.options import Options

    refused = 0
    for names in TWINS:
        try:
            Options.read({"categories": names, "data_root": str(setup.scratch)})
        except UserError as error:
            refused += "\n" not in str(error) and "one name" in str(error)
    lost = len(TWINS) - refused
    return Tried(len(TWINS), f"{refused} refused in one line before anything ran", lost)


FAULTS = (swapped_roots, twins)


def _made(study: Path) -> list[Path]:
    """Results, detectors and executed notebooks of a build."""
    build = next((study / "build").glob("parts-*"))
    return [path for path in build.rglob("*") if path.suffix in (".json", ".safetensors", ".ipynb")]


def _joined(study: Path, roots: list[Path]) -> int:
    """1 where results of two data of one name were put into one table."""
    folder = next((study / "build").glob("parts-*")) / "results"
    one, other = (load_category(root, "metal_nut") for root in roots)
    results = [load(folder, one, "resnet", 0), load(folder, other, "combined", 0)]
    assert result_path(folder, one, "resnet", 0) != result_path(folder, other, "resnet", 0)
    try:
        tabulate(results)
    except UserError as error:
        return int("by data" not in str(error))
    return 1

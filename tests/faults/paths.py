"""Folders and categories with names that commands, pages or formulas might stumble over."""

import contextlib
import io
import re
import shutil
from pathlib import Path

from study.__main__ import main
from tests.faults import common, kills, references
from tests.faults.common import Setup, Tried

FOREIGN = "wege zum Prüfen (neu)"
UNFIT = ("my part", "a,b", "<b>x", "$x", "`x`", "a;b", "a&b", 'a"b', "{x}", "[x](y)", "a\nb", "*a*")
UNFIT += ("-x", ".x", "a'b", "a|b", "a\\b", "#x", "%x", "!x")
OUTSIDE = ("../bolt", "/etc", ".", "..", "bolt/train", "~")


def foreign_folders(setup: Setup) -> Tried:
    """Checkout, data, weights and category with spaces and letters beyond ASCII"""
    study = setup.scratch / FOREIGN / "die Studie"
    shutil.rmtree(study.parent, ignore_errors=True)
    shutil.copytree(setup.built, study)
    common.forget(study)
    data, weights = study.parent / "Bilder & Teile", study.parent / "Gewichte für später"
    shutil.copytree(study / "data" / "parts" / "metal_nut", data / "schräubchen")
    references.words(setup, "")
    weights.mkdir()
    file = shutil.copy(setup.scratch / "resnet50-untrained-seed7.safetensors", weights)
    own = {"data-root": str(data), "categories": "schräubchen"}
    changes = {"backbone": "auto", "weights": str(file), "layers": "layer1"}
    done = common.run(study, "book", *common.small(**own | changes))
    pages = [name for name in common.pages_of(study) if "/schräubchen/" in name]
    asked = [name for name in common.pages_of(setup.built) if "/metal_nut/" in name]
    results, whole = common.results_of(study), common.results_of(setup.built)
    lost = (done.code != 0) + (len(results) != len(whole)) + (len(pages) != len(asked))
    return Tried(1, f"the book is built, with {len(pages) // 2} pages of that category", lost)


def categories(setup: Setup) -> Tried:
    """Categories whose names are no names, or lead out of the data folder"""
    root, images = setup.folder("names"), kills.noise(setup.folder("names-of"), 2) / "bolt"
    for name in UNFIT:
        shutil.copytree(images, root / "in" / name)
    lines = [_refusal(root / "in", name) for name in (*UNFIT, *OUTSIDE)]
    clear = [line for line in lines if re.search("no category|cannot be written", line)]
    renamed = sum("rename the folder" in line for line in clear)
    said = f"{len(clear)} refused in one line, {renamed} of them with the remedy"
    return Tried(len(lines), said, len(lines) - len(clear) + (renamed < len(UNFIT)))


FAULTS = (foreign_folders, categories)


def _refusal(root: Path, name: str) -> str:
    """The one line with which a category is refused."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        options = ["--data-root", str(root), f"--categories={name}"]
        code = main(["notebooks", "--backbone", "efficientnet_lite0", *options])
    lines = said.getvalue().strip().splitlines()
    return lines[0] if code == 2 and len(lines) == 1 else ""

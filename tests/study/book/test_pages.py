import json
import re
from types import SimpleNamespace

import pytest

from anomalylib.errors import UserError
from study.book import pages
from study.book.notebooks import chapters, names, tables_read
from study.book.options import Options, open_study


def text(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def figure(name):
    return {"cell_type": "code", "metadata": {"mystnb": {"figure": {"name": name}}}, "source": "x"}


def test_a_page_names_its_category_in_title_text_and_figures():
    notebook = {"cells": [text(["# Pooled\n", "body"]), figure("fig-{category}-roc")]}
    notebook["cells"].append(text("see {numref}`fig-{category}-roc`"))
    pages.put_category(notebook, "metal_nut")
    first, second, third = notebook["cells"]
    assert first["source"] == "# Metal nut: Pooled\nbody"
    assert second["metadata"]["mystnb"]["figure"]["name"] == "fig-metal-nut-roc"
    assert third["source"] == "see {numref}`fig-metal-nut-roc`"
    short = {"cells": [text("# Title")]}
    pages.put_category(short, "my_PCB")
    assert short["cells"][0]["source"] == "# My PCB: Title"
    with pytest.raises(UserError, match="begin with its title"):
        pages.put_category({"cells": [text("no title")]}, "screw")


def test_the_paragraph_after_a_figure_is_its_caption():
    notebook = {"cells": [figure("fig-a"), text("**Figure.** What *this* is.\n\n## Next\n\nrest")]}
    pages.caption_figures(notebook, "Drawn by me.")
    first, second = notebook["cells"]
    assert first["metadata"]["mystnb"]["figure"]["caption"] == "What *this* is. Drawn by me."
    assert second["source"] == "## Next\n\nrest"


@pytest.mark.parametrize(
    "cells",
    [
        [figure("fig-a"), text("no caption")],
        [figure("fig-a")],
        [{"cell_type": "code", "metadata": {}, "source": ""}, text("**Figure.** of nothing")],
    ],
)
def test_figure_and_caption_come_together(cells):
    with pytest.raises(UserError, match="figure and caption"):
        pages.caption_figures({"cells": cells}, "")


def test_a_page_is_described_by_what_it_says_first():
    box = "```{admonition} What you will see\n:class: tip\nOne *map* {cite}`x` and `code`.\n```"
    notebook = {"cells": [text(f"# Title\n\n{box}")]}
    pages.describe(notebook)
    source = notebook["cells"][0]["source"]
    assert ".. meta::\n   :description: One map  and code.\n" in source
    assert source.endswith(box)
    empty = {"cells": [text("# Title")]}
    pages.describe(empty)
    assert empty["cells"][0]["source"] == "# Title"


def test_what_papermill_put_in_is_shown_like_what_it_replaces():
    cells = [{"metadata": {"tags": ["parameters", "remove-cell"]}}]
    cells += [{"metadata": {"tags": ["injected-parameters"]}}, {"metadata": {}}]
    pages.fold_code({"cells": cells})
    assert cells[1]["metadata"]["tags"] == ["injected-parameters", "remove-cell"]
    assert cells[2]["metadata"] == {}


def test_a_notebook_is_launched_only_from_a_known_repository():
    path = "notebooks/claims.ipynb"
    assert pages.launch_address({"url": ""}, path) == ""
    address = pages.launch_address({"url": "https://github.com/us/it.git", "branch": "dev"}, path)
    assert address == "https://mybinder.org/v2/gh/us/it/dev?urlpath=lab/tree/notebooks/claims.ipynb"
    with pytest.raises(UserError, match="owner/name"):
        pages.launch_address({"url": "https://example.org/us/it"}, path)


@pytest.mark.parametrize("notebook", chapters())
def test_every_chapter_keeps_the_plan_of_all(notebook):
    cells = json.loads((pages.ROOT / "notebooks" / f"{notebook}.ipynb").read_text())["cells"]
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    if notebook != "landing":
        order = ["What you will see", "**Figure.** ", "## What it shows", "## How sure"]
        assert [prose.count(part) > 0 for part in order] == [True] * 4
        assert sorted(order, key=prose.index) == order
        assert re.findall(r"^## .*", prose, re.MULTILINE) == order[2:]
    for cell in cells:
        code = "".join(cell["source"]) if cell["cell_type"] == "code" else ""
        assert len(code.splitlines()) <= 15
        described = cell["metadata"].get("mystnb", {})
        assert ("figure" in described) == ("image" in described)
        assert len(described.get("image", {}).get("alt", "x" * 40)) >= 40


@pytest.mark.parametrize("notebook", names())
def test_every_figure_is_spoken_of(notebook):
    text = (pages.ROOT / "notebooks" / f"{notebook}.ipynb").read_text()
    named = set(re.findall(r'"name": "(fig-[^"]+)"', text))
    assert named and named == set(re.findall(r"{numref}`(fig-[^`]+)`", text))


@pytest.mark.parametrize("notebook", chapters())
def test_the_tables_that_a_chapter_reads_are_there(notebook):
    folder = pages.ROOT / "data" / "reference"
    assert all((folder / name).is_file() for name in tables_read(notebook))
    code = (pages.ROOT / "notebooks" / f"{notebook}.ipynb").read_text()
    assert bool(tables_read(notebook)) == ("read_table" in code or "read_benchmarks" in code)


def test_the_data_of_every_figure_lies_beside_the_book(built):
    study, _, index = built
    files = pages.tables(study)
    assert {name for chapter in chapters() for name in tables_read(chapter)} < set(files)
    rows = files["build/metal_nut/scores.csv"].decode().splitlines()
    assert rows[0].startswith("image,defect_type,label,mean_grey,autoencoder,")
    assert len(rows) == 1 + 7
    images = files["build/metal_nut/data.csv"].decode().splitlines()
    assert images[0].startswith("image,set,defect_type,label,format,") and len(images) == 1 + 13
    rows = files["build/metal_nut/learning_curve.csv"].decode().splitlines()
    assert rows[0].startswith("category,model,backbone,seed,images,") and len(rows) == 1 + 2 * 2
    page = (index.parent / "chapters" / "claims.html").read_text()
    assert "summary.csv" in page and "_sources/chapters/claims.ipynb" in page


def test_a_page_with_a_repository_has_a_link_that_runs_it(built):
    study, _, _ = built
    task = next(task for task in study.tasks if task.notebook == "claims")
    url = {"url": "https://github.com/us/it", "branch": "main"}
    with_link = pages.page(task, study, url)["cells"][-1]["source"]
    without = pages.page(task, study, {"url": ""})["cells"][-1]["source"]
    assert "mybinder.org/v2/gh/us/it/main" in with_link and "mybinder" not in without


def test_options_are_repeated_in_the_command(tiny_root):
    given = {"categories": "metal_nut", "data_root": str(tiny_root), "params": "latent=9"}
    study = open_study(Options.read(given | {"backbone": "efficientnet_lite0", "seed": "2"}))
    model = SimpleNamespace(notebook="combined", subject="metal_nut", parameters={})
    caption = pages.made_by(model, study)
    assert caption == "Drawn by `make notebooks CATEGORIES=metal_nut`, with the settings below."
    assert pages.command(model, study)[1:] == [
        f"DATA_ROOT={tiny_root}",
        "BACKBONE=efficientnet_lite0",
        "SEED=2",
        "PARAMS=latent=9",
    ]
    chapter = SimpleNamespace(notebook="sensitivity", subject="")
    both = "`make sensitivity` and `make reference`"
    assert pages.made_by(chapter, study) == f"Measured by {both}, drawn by `make book`."
    chapter = SimpleNamespace(notebook="where_it_fails", subject="")
    three = "`make reference` and `make layers`"
    assert pages.made_by(chapter, study) == f"Measured by {three}, drawn by `make book`."

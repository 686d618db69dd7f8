"""The import graph, drawn from the sources: which room may use which, and what an import does."""

import ast
import graphlib
import inspect
import json
import re
import subprocess
import sys

import pytest

import anomalylib
from anomalylib.sources import closure, imported
from study.checkout import ROOT

HOUSES = ("anomalylib", "study")
GROUND = {"errors", "files", "sources", "parameters", "devices"}
LIBRARY = dict.fromkeys(GROUND, GROUND)
LIBRARY["images"] = GROUND
LIBRARY["metrics"] = GROUND | {"images"}
LIBRARY["features"] = GROUND | {"images"}
LIBRARY["detectors"] = LIBRARY["features"] | {"features"}
LIBRARY["deploy"] = LIBRARY["detectors"] | {"detectors"}
"""What a room of the library may import from, besides itself."""
STUDY = {"checkout": set(), "names": set(), "environment": set()}
STUDY["weights"] = {"checkout"}
STUDY["parts"] = {"checkout", "names"}
STUDY["settings"] = STUDY["tables"] = STUDY["parts"] | {"parts"}
STUDY["datacheck"] = STUDY["tables"] | {"tables"}
STUDY["figures"] = STUDY["datacheck"] | {"datacheck"}
STUDY["runs"] = STUDY["datacheck"] | {"datacheck", "settings"}
STUDY["book"] = set(STUDY)
"""The same for the study."""
WITHOUT_TORCH = ("study.figures", "study.tables")
TORCH = ("torch", "torchvision", "timm", "safetensors")
"""Packages that are PyTorch or import it; of safetensors, its module ``torch`` does."""
DOCS = "".join((ROOT / name).read_text() for name in ("README.md", "book/methods.md"))
STATE = """
import importlib, json, os, sys, warnings
for name in {external}:
    importlib.import_module(name)
import matplotlib, numpy, torch
from anomalylib import sources
def state():
    return {{
        "environment": dict(os.environ),
        "warning filters": [str(each) for each in warnings.filters],
        "rcParams": {{name: str(value) for name, value in matplotlib.rcParams.items()}},
        "errors of numpy": numpy.geterr(),
        "threads of torch": torch.get_num_threads(),
        "random numbers": [str(numpy.random.get_state()), torch.initial_seed()],
        "paths": list(sys.path),
        "sources read": sources.direct_imports.cache_info().misses,
    }}
before = state()
for name in {ours}:
    importlib.import_module(name)
after = state()
print(json.dumps([name for name in before if before[name] != after[name]]))
"""
"""Import what the modules need, then the modules; print what these have changed."""


def read(house):
    """The parsed source of every module of a house, by dotted name."""
    trees = {}
    for path in sorted((ROOT / house).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


TREES = {house: read(house) for house in HOUSES}
SOURCES = TREES["anomalylib"] | TREES["study"]
GRAPH = {name: set(imported(tree, HOUSES)) for name, tree in SOURCES.items()}


def room(module):
    """``study.tables.text`` stands in ``tables``; a house itself and its ``__main__`` in none."""
    inner = module.partition(".")[2].partition(".")[0]
    return "" if inner == "__main__" else inner


def astray(house, allowed):
    """Imports from a room of a house into another room of it that may not be used there."""
    return [
        f"{name} imports {other}"
        for name in TREES[house]
        for other in sorted(GRAPH[name])
        if other.partition(".")[0] == house and room(name) and room(other)
        if room(other) not in allowed[room(name)] | {room(name)}
    ]


def prints(code):
    """What a piece of code prints, as JSON, in a process of its own."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_library_knows_nothing_of_the_study():
    wrong = [(name, other) for name in TREES["anomalylib"] for other in GRAPH[name]]
    assert [pair for pair in wrong if pair[1].partition(".")[0] == "study"] == []


def test_every_module_stands_in_a_room():
    assert {room(name) for name in TREES["anomalylib"]} <= {"", *LIBRARY}
    assert {room(name) for name in TREES["study"]} <= {"", *STUDY}


def test_imports_run_one_way_between_the_rooms_of_the_library():
    assert astray("anomalylib", LIBRARY) == []


def test_imports_run_one_way_between_the_rooms_of_the_study():
    assert astray("study", STUDY) == []


def test_no_modules_import_each_other_in_a_circle():
    sorter = graphlib.TopologicalSorter({name: uses - {name} for name, uses in GRAPH.items()})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        pytest.fail(" is imported by ".join(error.args[1]))


@pytest.mark.parametrize("house", WITHOUT_TORCH)
def test_what_knows_only_tables_reaches_no_torch(house):
    wrong = [
        f"{name}: {reached} imports {each}"
        for name in SOURCES
        if name.startswith(f"{house}.")
        for reached in sorted(closure([name], HOUSES))
        for each in sorted(set(imported(SOURCES[reached], TORCH)) - {"safetensors"})
    ]
    assert wrong == []


def test_an_import_changes_nothing_but_the_modules():
    code = STATE.format(external=sorted(external()), ours=sorted(SOURCES))
    assert prints(code) == []


def external():
    """The packages that our modules import at their top."""
    for tree in SOURCES.values():
        for node in tree.body:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] not in HOUSES:
                yield node.module


def test_the_library_is_imported_without_waiting_for_another():
    loaded = "import json, sys, anomalylib; print(json.dumps(sorted(sys.modules)))"
    assert not {"torch", "numpy", "pandas", "matplotlib"} & set(prints(loaded))


@pytest.mark.parametrize("name", anomalylib.__all__)
def test_a_public_name_loads_is_explained_and_stands_in_the_docs(name):
    value = getattr(anomalylib, name)
    said = inspect.getdoc(value)
    assert said and said[0].isupper()
    error = isinstance(value, type) and issubclass(value, Exception)
    if callable(value) and not error and inspect.signature(value).parameters:
        kinds = value.__mro__ if isinstance(value, type) else [value]
        assert any("Parameters\n----------\n" in (inspect.getdoc(kind) or "") for kind in kinds)
    assert re.search(rf"`(al\.|anomalylib\.)?{name}\b|\bal\.{name}\b", DOCS), "not in the docs"


def test_no_private_name_is_public_and_each_stands_where_it_is_said_to():
    assert set(anomalylib.__all__) <= set(dir(anomalylib))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        anomalylib.nothing  # noqa: B018

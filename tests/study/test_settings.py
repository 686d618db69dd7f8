import json

import pytest

from anomalylib.errors import UserError
from study.book.notebooks import SOURCES
from study.settings import SETTINGS, TOOLS, make_settings, read_parameters


def parameters_cell(notebook):
    cells = json.loads((SOURCES / f"{notebook}.ipynb").read_text())["cells"]
    tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1
    namespace = {}
    exec("".join(tagged[0]["source"]), namespace)
    return {name: value for name, value in namespace.items() if not name.startswith("_")}


@pytest.mark.parametrize("notebook", SETTINGS | TOOLS)
def test_a_notebooks_cell_has_the_defaults_of_its_settings(notebook):
    defaults = {name: f.default for name, f in (SETTINGS | TOOLS)[notebook].model_fields.items()}
    cell = parameters_cell(notebook)
    assert cell == {name: defaults[name] for name in cell}
    left_to_the_runner = {"threads", "chosen", "results_dir"}
    assert set(defaults) - set(cell) <= left_to_the_runner


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"categry": "screw"}, "unknown parameter 'categry'.*did you mean category?"),
        ({"zzz": 1}, "unknown parameter 'zzz'.*known: .*latent"),
        ({"latent": 0}, "latent=0 .combined.: input should be greater"),
        ({"latent": "many"}, "latent='many' .combined.: input should be a valid integer"),
        ({"image_size": 225}, "image_size=225 .combined.: input should be a multiple of 32"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_wrong_parameters_are_one_line(given, message):
    with pytest.raises(UserError, match=message) as caught:
        make_settings("combined", given)
    assert "\n" not in str(caught.value)


def test_only_the_variables_that_are_parameters_are_read():
    namespace = {"_i1": "x", "In": [""], "Out": {}, "__name__": "n", "open": open, "latent": 7}
    assert read_parameters("combined", namespace).latent == 7
    with pytest.raises(UserError, match="unknown parameter 'latnt'"):
        read_parameters("combined", namespace | {"latnt": 7})
    with pytest.raises(UserError, match="unknown parameter 'latent'"):
        read_parameters("resnet", namespace)

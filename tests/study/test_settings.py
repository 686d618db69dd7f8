import json
import subprocess
import sys

import pytest

from anomalylib.errors import UserError
from study.book.notebooks import SOURCES, names
from study.names import MODELS
from study.settings import begin, make_settings, settings_of

LEFT_TO_THE_RUNNER = {"threads", "chosen", "results_dir"}


def parameters_cell(notebook):
    cells = json.loads((SOURCES / f"{notebook}.ipynb").read_text())["cells"]
    (cell,) = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    source = "".join(cell["source"])
    namespace = {}
    exec(source, namespace)
    return source, {name: v for name, v in namespace.items() if not name.startswith("_")}


@pytest.mark.parametrize("notebook", names())
def test_a_notebooks_cell_has_the_defaults_of_the_constructors(notebook):
    fields = settings_of(notebook).model_fields
    source, cell = parameters_cell(notebook)
    assert cell == {name: fields[name].default for name in cell}
    assert set(fields) - set(cell) <= LEFT_TO_THE_RUNNER
    assert all("  # " in line for line in source.splitlines())


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


@pytest.mark.parametrize("given", [{"category": 1}, {"layers": 0}, {"weights": None}])
def test_a_text_that_papermill_read_as_a_number_is_refused_with_the_remedy(given):
    with pytest.raises(
        UserError, match=r"valid string: papermill's -p makes .* its -r leaves text"
    ):
        begin("combined", given)
    with pytest.raises(UserError, match=r"integer$"):
        begin("combined", {"latent": "x"})


def test_each_model_has_the_image_size_it_was_made_for():
    sizes = {name: getattr(make_settings(name, {}), "image_size", None) for name in MODELS}
    assert sizes == dict.fromkeys(MODELS, 224) | {"autoencoder": None}


def test_only_the_variables_that_are_parameters_are_read(tiny_root):
    namespace = {"_i1": "x", "In": [""], "Out": {}, "__name__": "n", "open": open, "latent": 7}
    namespace["data_root"] = str(tiny_root)
    assert begin("combined", namespace).latent == 7
    with pytest.raises(UserError, match="unknown parameter 'latnt'"):
        begin("combined", namespace | {"latnt": 7})
    with pytest.raises(UserError, match="unknown parameter 'latent'"):
        begin("resnet", namespace)


def test_without_data_the_drawn_parts_take_their_place(monkeypatch):
    monkeypatch.setattr("study.parts.synthetic.ensure_synthetic", lambda: "drawn")
    assert begin("ablation", {"category": "screw"}).data_root == "drawn"
    assert begin("ablation", {"data_root": "given"}).data_root == "given"


def test_a_chapter_needs_no_pytorch():
    code = "from study.settings import begin; import sys; begin('claims', {}); "
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

import json
import zipfile

import pytest
import torch

from anomalylib.errors import UserError
from anomalylib.features.exported import load_program, save_program

PROGRAM = "models/model.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An exported program with one dynamic dimension."""
    torch.manual_seed(0)
    layers = (torch.nn.Conv2d(3, 4, 8, stride=8), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    model = torch.nn.Sequential(*layers).eval()
    shapes = {"input": {0: torch.export.Dim("batch", min=1, max=64)}}
    path = tmp_path_factory.mktemp("exported") / "sound.pt2"
    program = torch.export.export(model, (torch.zeros(2, 3, 64, 64),), dynamic_shapes=shapes)
    torch.export.save(program, path)
    return path


@pytest.fixture
def changed(saved, tmp_path):
    """Save the program again, with other members or another JSON."""

    def save(members=None, edit=None):
        path = tmp_path / "changed.pt2"
        with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if edit and name.endswith(PROGRAM):
                    said = json.loads(content)
                    edit(said)
                    content = json.dumps(said)
                new.writestr(name, content)
            for name, content in (members or {}).items():
                new.writestr(f"{old.namelist()[0].partition('/')[0]}/{name}", content)
        return path

    return save


def test_a_program_computes_what_it_computes_in_torch(saved):
    x = torch.rand(5, 3, 64, 64)
    assert torch.equal(load_program(saved).module()(x), torch.export.load(saved).module()(x))


def test_what_is_saved_has_no_notes_and_the_same_bytes_each_time(saved, changed, tmp_path):
    def edit(said):
        for node in said["graph_module"]["graph"]["nodes"]:
            node["metadata"] = {"stack_trace": "File <there>, line 1"}

    files = [tmp_path / "a.pt2", tmp_path / "other" / "b.pt2"]
    for file, source in zip(files, (saved, changed(edit=edit)), strict=True):
        save_program(torch.export.load(source), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert b"File <" not in files[0].read_bytes() and b"serialization" not in files[0].read_bytes()
    x, expected = torch.rand(5, 3, 64, 64), torch.export.load(saved).module()
    for load in (torch.export.load, load_program):
        assert torch.equal(load(files[1]).module()(x), expected(x))


def test_notes_and_guards_are_left_out(changed):
    def edit(said):
        said["guards_code"] = ["__import__('os')._exit(9)"]
        for node in said["graph_module"]["graph"]["nodes"]:
            node["metadata"] = {"stack_trace": "File <x>, line 1"}

    program = load_program(changed(edit=edit, members={"extra/note": "by <me>"}))
    assert program.module()(torch.zeros(1, 3, 64, 64)).shape == (1, 4, 8, 8)


@pytest.mark.parametrize(
    "name", ["data/weights/model.pt", "data/aotinductor/model/x.so", "code/x.py", "version/../x"]
)
def test_other_members_are_refused(name, changed):
    with pytest.raises(UserError, match="no tensor, and is not loaded: export it anew"):
        load_program(changed(members={name: b"x"}))


@pytest.mark.parametrize(
    "target", ["torch.os.system", "torch.ops.aten.save.default", "_operator.call", "math.sin"]
)
def test_other_operations_are_refused(target, changed):
    def edit(said):
        said["graph_module"]["graph"]["nodes"][0]["target"] = target

    with pytest.raises(UserError, match="no operation on tensors"):
        load_program(changed(edit=edit))


@pytest.mark.parametrize("size", ["print(1)", "x.y", "Symbol('s0').func", "[1][0]", "s0 if s1"])
def test_sizes_that_are_code_are_refused(size, changed):
    def edit(said):
        values = said["graph_module"]["graph"]["tensor_values"]
        values["input"]["sizes"][0]["as_expr"]["expr_str"] = size

    with pytest.raises(UserError, match="no operation on tensors"):
        load_program(changed(edit=edit))

"""What of an exported program may be loaded: tensors and operations on them, no other code.

PyTorch's loader runs what a ``.pt2`` file brings along: pickled objects, compiled
libraries, and text that it evaluates as Python, in symbolic sizes and in guards.
A file of weights has no need of any of it.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from anomalylib.errors import UserError
from anomalylib.files import written_whole

PLAIN = r"\.data/\w+|archive_format|archive_version|byteorder|version"
TENSORS = r"data/weights/weight_\d+|data/constants/tensor_\d+"
LISTS = r"data/(weights/model_weights|constants/model_constants)_config\.json"
PROGRAM = "models/model.json"
INPUTS = "data/sample_inputs/model.pt"  # of an example: pickled, and not needed
NOTES = r"extra/|\.data/serialization_id$"  # members that say where the file came from
NOT_NEEDED = {"metadata": {}, "guards_code": [], "torch_version": "", "stack_trace": None}
"""What is read in place of parts of the program that say where it came from, or are code."""
OPERATION = r"torch\.ops\.aten\.(?!(save|from_file)\.)\w+\.\w+|_operator\.(getitem|add|sub|mul)"
NAME = r"[\w.:+-]*"
SYMBOL = r"Symbol|[a-z]+\d+|positive|nonnegative|integer|nonzero|True|False"
FORMULA = r"Integer|Rational|Add|Mul|Pow|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv"
SHAPES = {None, "builtins.tuple", "builtins.list", "builtins.dict"}


def save_program(program: torch.export.ExportedProgram, path: Path) -> None:
    """Write of an exported program what `load_program` reads, and no note of where it was made.

    The same program has the same bytes, wherever one version of PyTorch has exported it.
    """
    whole = io.BytesIO()
    torch.export.save(program, whole)
    with zipfile.ZipFile(whole) as archive, written_whole(path) as beside:
        beside.write_bytes(_checked(archive).getbuffer())


def load_program(path: Path) -> Any:
    """An exported program; refused if its file holds pickled objects, libraries or code."""
    with zipfile.ZipFile(path) as archive:
        try:
            content = _checked(archive)
        except _Refused as error:
            export = "export it anew with torch.export.save, or take it from elsewhere"
            raise UserError(f"{path} holds {error}, and is not loaded: {export}") from None
    return torch.export.load(content)


class _Refused(Exception):
    """What a file holds that may not be loaded."""


def _checked(archive: zipfile.ZipFile) -> io.BytesIO:
    """The archive written anew, of the members that may be loaded."""
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if len(set(names)) < len(names):
        raise _Refused("a member twice")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as kept:
        for name in names:
            inner = name.partition("/")[2]
            if not re.match(NOTES, inner):
                undated = zipfile.ZipInfo(f"program/{inner}")
                kept.writestr(undated, _member(archive, name, inner))
    content.seek(0)
    return content


def _member(archive: zipfile.ZipFile, name: str, inner: str) -> bytes:
    """The bytes of one member that may be loaded."""
    if inner == INPUTS:
        return b""
    if inner == PROGRAM:
        return json.dumps(_program(json.loads(archive.read(name)))).encode()
    if re.fullmatch(LISTS, inner):
        listed = json.loads(archive.read(name))
        for tensor in listed["config"].values():
            where = inner.rpartition("/")[0] + f"/{tensor['path_name']}"
            if tensor["use_pickle"] or not re.fullmatch(TENSORS, where):
                raise _Refused("a pickled object in place of a tensor")
    elif not re.fullmatch(f"{PLAIN}|{TENSORS}", inner):
        raise _Refused(f"{name!r}, no tensor")
    return archive.read(name)


def _program(part: Any, key: str = "") -> Any:
    """A part of the program's JSON; `key` is where it stands in the whole."""
    if isinstance(part, dict):
        for name in part:
            _check_text(name, "formula" if key == "range_constraints" else "")
        return {
            name: NOT_NEEDED[name] if name in NOT_NEEDED else _program(inner, name)
            for name, inner in part.items()
        }
    if isinstance(part, list):
        return [_program(inner, key) for inner in part]
    if isinstance(part, str):
        _check_text(part, key)
    return part


def _check_text(text: str, key: str) -> None:
    """Refuse a text that the loader would take for more than what stands at `key`."""
    if key in ("in_spec", "out_spec"):
        _check_shape(json.loads(text)[1])
        return
    if key in ("formula", "expr_str"):
        words = re.findall(r"[^\W\d]\w*", text)
        plain = re.fullmatch(r"[\w\s()*+/,='-]*", text, re.ASCII)
        fine = plain and all(re.fullmatch(f"{SYMBOL}|{FORMULA}", word) for word in words)
    else:
        fine = re.fullmatch(OPERATION if key == "target" else NAME, text, re.ASCII)
    if not fine:
        raise _Refused(f"{text[:60]!r}, no operation on tensors")


def _check_shape(spec: dict) -> None:
    """Refuse all but nested tuples, lists and dicts as what a program takes or returns."""
    if spec["type"] not in SHAPES or "__enum__" in str(spec["context"]):
        raise _Refused(f"{str(spec['type'])[:60]!r} in place of tensors")
    for child in spec["children_spec"]:
        _check_shape(child)

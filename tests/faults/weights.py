"""Files of weights, features and maps that bring code along, or are not what they say."""

import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

from anomalylib.errors import UserError
from tests.faults.common import Setup, Tried


class Touch:
    """Pickled, it makes a file where it is unpickled."""

    def __init__(self, flag: Path):
        self.flag = flag

    def __reduce__(self):
        return Path.touch, (self.flag,)


def pickles_in_pth(setup: Setup) -> Tried:
    """Pickles with code in `.pth` files"""
    import torch

    from anomalylib.features.weights import load_tensors, resolve_backbone

    folder = setup.folder("pth")
    flag = folder / "ran"
    torch.save({"conv1.weight": Touch(flag)}, folder / "zip.pth")
    torch.save(Touch(flag), folder / "old.pth", _use_new_zipfile_serialization=False)
    (folder / "plain.pth").write_bytes(pickle.dumps({"a": Touch(flag)}))
    (folder / "text.pth").write_bytes(pickle.dumps(Touch(flag), protocol=0))
    return _refused(
        folder.glob("*.pth"),
        lambda path: load_tensors(resolve_backbone("resnet50", str(path))),
        flag,
    )


def code_in_exported_programs(setup: Setup) -> Tried:
    """Pickles, libraries and code in `.pt2` files"""
    from anomalylib.features.extractor import FeatureExtractor
    from anomalylib.features.weights import resolve_backbone

    folder = setup.folder("pt2")
    flag = folder / "ran"
    paths = _hostile_programs(folder, flag)
    ran = _run_in_torch(paths, flag)
    found = _refused(
        paths,
        lambda path: FeatureExtractor(resolve_backbone("auto", str(path)), image_size=64),
        flag,
    )
    said = f"{found.outcome}; torch's own loader runs the code of {ran}"
    return Tried(found.tried, said, found.lost + (ran == 0))


def malformed_safetensors(setup: Setup) -> Tried:
    """`.safetensors` files with headers that do not fit"""
    from anomalylib.features.extractor import FeatureExtractor
    from anomalylib.features.weights import resolve_backbone

    folder = setup.folder("safetensors")
    for name, content in _headers().items():
        (folder / f"{name}.safetensors").write_bytes(content)
    return _refused(
        folder.glob("*.safetensors"),
        lambda path: FeatureExtractor(resolve_backbone("resnet50", str(path), "layer1")),
        folder / "ran",
    )


def pickles_in_arrays(setup: Setup) -> Tried:
    """Arrays of objects, which are pickles, among features and maps"""
    from anomalylib.features.cache import OnDisk
    from study.tables.results import read_maps

    folder = setup.folder("arrays")
    flag = folder / "ran"
    objects = np.array([Touch(flag)] * 4, dtype=object)
    np.save(folder / "a.npy", objects, allow_pickle=True)
    (folder / "b.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff{'descr': '<f2'")
    (folder / "c.npy").write_bytes(b"no array")
    np.savez(folder / "a.npz", maps=objects)
    (folder / "b.npz").write_bytes(b"no archive")
    np.savez(folder / "c.npz", other=np.zeros(2))
    (folder / "d.npz").write_bytes(pickle.dumps(Touch(flag)))

    def read(path: Path) -> None:
        read_maps(path) if path.suffix == ".npz" else OnDisk(path)[:]

    return _refused(folder.glob("*.np*"), read, flag)


FAULTS = (
    pickles_in_pth,
    code_in_exported_programs,
    malformed_safetensors,
    pickles_in_arrays,
)


def _refused(paths, load, flag: Path) -> Tried:
    """Load each file; what is lost is code that ran, a trace, or none of both."""
    tried, refused, ran = 0, 0, 0
    for path in paths:
        tried += 1
        flag.unlink(missing_ok=True)
        try:
            load(path)
        except UserError as error:
            refused += "\n" not in str(error)
        ran += flag.exists()
    flag.unlink(missing_ok=True)
    return Tried(tried, f"{refused} refused in one line, {ran} ran code", tried - refused + ran)


def _run_in_torch(paths: list[Path], flag: Path) -> int:
    """How many files of ours make PyTorch's own loader run what they bring along."""
    load = f"""
import contextlib, pathlib, torch
flag = pathlib.Path({str(flag)!r})
for path in {list(map(str, paths))!r}:
    with contextlib.suppress(BaseException):
        torch.export.load(path).module()
    if flag.exists():
        flag.unlink()
        print("ran", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=False)
    return done.stdout.splitlines().count("ran")


def _hostile_programs(folder: Path, flag: Path) -> list[Path]:
    """Exported programs that make a file when they are loaded."""
    import torch

    class Half(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(3, 4, 8, stride=8)

        def forward(self, x):
            return self.first(x)

    batch = torch.export.Dim("batch", min=1, max=64)
    example = (torch.zeros(2, 3, 64, 64),)
    program = torch.export.export(Half().eval(), example, dynamic_shapes={"x": {0: batch}})
    sound = folder / "sound.pt2"
    torch.export.save(program, sound)
    with zipfile.ZipFile(sound) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    sound.unlink()
    saved = io.BytesIO()
    torch.save({"x": Touch(flag)}, saved)
    bad, plain = saved.getvalue(), pickle.dumps(Touch(flag))
    call = f"__import__('pathlib').Path({str(flag)!r}).touch()"
    lists = {kind: f"data/{kind}/model_{kind}_config.json" for kind in ("weights", "constants")}

    def listed(kind: str, name: str, **changes) -> bytes:
        tensors = json.loads(members[lists[kind]])
        some = json.loads(members[lists["weights"]])["config"].copy().popitem()[1]
        return json.dumps({"config": tensors["config"] | {name: some | changes}}).encode()

    def edited(change) -> bytes:
        said = json.loads(members["models/model.json"])
        change(said)
        return json.dumps(said).encode()

    def target(said: dict, name: str) -> None:
        said["graph_module"]["graph"]["nodes"][0]["target"] = name

    def size(said: dict) -> None:
        values = said["graph_module"]["graph"]["tensor_values"]
        values["x"]["sizes"][0]["as_expr"]["expr_str"] = call

    def limits(said: dict) -> None:
        said["range_constraints"] = {call: {"min_val": 1, "max_val": 9}}

    def shape(said: dict) -> None:
        spec = {"type": "collections.defaultdict", "children_spec": []}
        about = {"default_factory_module": "this", "default_factory_name": "s", "dict_context": []}
        spec["context"] = json.dumps(about)
        (first,) = [m for m in said["graph_module"]["module_call_graph"] if m["fqn"] == ""]
        first["signature"]["in_spec"] = json.dumps([1, spec])

    weight = "data/weights/weight_0"
    changed = {
        "inputs": {"data/sample_inputs/model.pt": bad, "data/extra": b""},
        "weight": {
            lists["weights"]: listed(
                "weights", "first.weight", path_name="weight_0", use_pickle=True
            ),
            weight: bad,
        },
        "constant": {
            lists["constants"]: listed("constants", "c", path_name="tensor_0", use_pickle=True),
            "data/constants/tensor_0": bad,
        },
        "opaque": {
            lists["constants"]: listed("constants", "c", path_name="opaque_obj_0", use_pickle=True),
            "data/constants/opaque_obj_0": plain,
        },
        "custom": {
            lists["constants"]: listed("constants", "c", path_name="custom_obj_0", use_pickle=True),
            "data/constants/custom_obj_0": bad,
        },
        "legacy-weights": {"data/weights/model.pt": bad},
        "legacy-constants": {"data/constants/model.pt": bad},
        "library": {"data/aotinductor/model/model.so": b"\x7fELF"},
        "outside": {lists["weights"]: listed("weights", "x", path_name="../../../x")},
        "size": {"models/model.json": edited(size)},
        "limits": {"models/model.json": edited(limits)},
        "shape": {"models/model.json": edited(shape)},
        "system": {"models/model.json": edited(lambda said: target(said, "torch.os.system"))},
        "load": {"models/model.json": edited(lambda said: target(said, "torch.load"))},
        "file": {
            "models/model.json": edited(lambda s: target(s, "torch.ops.aten.from_file.default"))
        },
        "method": {"models/model.json": edited(lambda s: target(s, "_operator.methodcaller"))},
    }
    paths = []
    for name, members_of in changed.items():
        path = folder / f"{name}.pt2"
        with zipfile.ZipFile(path, "w") as archive:
            for inner, content in (members | members_of).items():
                archive.writestr(f"{name}/{inner}", content)
        paths.append(path)
    old = folder / "old.pt2"
    with zipfile.ZipFile(old, "w") as archive:
        archive.writestr("version", "8.20")
        archive.writestr("serialized_exported_program.json", members["models/model.json"])
        for part in ("state_dict", "constants", "example_inputs"):
            archive.writestr(f"serialized_{part}.pt", bad)
    return [*paths, old]


def _headers() -> dict[str, bytes]:
    """Files whose header promises what is not there."""

    def file(header: bytes, data: bytes = b"\0" * 64, length: int | None = None) -> bytes:
        return struct.pack("<Q", len(header) if length is None else length) + header + data

    def tensor(name: str, begin: int, end: int, shape: str = "[4]", kind: str = "F32") -> str:
        offsets = f'"data_offsets":[{begin},{end}]'
        return f'"{name}":{{"dtype":"{kind}","shape":{shape},{offsets}}}'

    first = tensor("layer1.0", 0, 16)
    said = {
        "overlap": f"{{{first},{tensor('layer1.1', 8, 24)}}}",
        "beyond": f"{{{tensor('layer1.0', 0, 4096, '[1024]')}}}",
        "backwards": f"{{{tensor('layer1.0', 16, 0)}}}",
        "negative": f"{{{tensor('layer1.0', -16, 0)}}}",
        "gap": f"{{{tensor('layer1.0', 32, 48)}}}",
        "shape": f"{{{tensor('layer1.0', 0, 16, '[-4]')}}}",
        "vast": f"{{{tensor('layer1.0', 0, 16, '[4294967296,4294967296,4294967296]')}}}",
        "type": f"{{{tensor('layer1.0', 0, 16, '[4]', 'OBJECT')}}}",
        "twice": f"{{{first},{first}}}",
        "list": "[]",
        "text": "no header",
        "deep": "[" * 100_000,
    }
    made = {name: file(header.encode()) for name, header in said.items()}
    made["long"] = file(b"{}", length=2**63)
    made["longer"] = file(b"{}", length=2**40)
    made["short"] = b"\x01"
    made["empty"] = b""
    made["letters"] = file(b"\xff\xfe{}")
    return made

import hashlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from anomalylib.errors import UserError
from anomalylib.features import extractor
from anomalylib.features.exported import load_program
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import IMAGENET, resolve_backbone
from study import weights
from study.__main__ import main

BLOCKS = {2: "abc", 3: "abcd", 4: "abcdef"}
FACTOR = 4.0  # over which Caffe keeps the statistics of a batch norm
CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red


def convolutions():
    """Shape of each convolution by the end of its name."""
    yield "conv1", (64, 3, 7, 7)
    for stage, blocks in BLOCKS.items():
        inner = 2 ** (stage + 4)
        for block in blocks:
            before = 64 if (stage, block) == (2, "a") else (2 if block == "a" else 4) * inner
            yield f"{stage}{block}_branch2a", (inner, before, 1, 1)
            yield f"{stage}{block}_branch2b", (inner, inner, 3, 3)
            yield f"{stage}{block}_branch2c", (4 * inner, inner, 1, 1)
            if block == "a":
                yield f"{stage}{block}_branch1", (4 * inner, before, 1, 1)


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    """A folder of random tensors in the authors' form."""
    folder, random = tmp_path_factory.mktemp("model"), np.random.default_rng(0)

    def write(name, values):
        values.astype("<f4").tofile(folder / f"{name}.bin")

    for name, shape in convolutions():
        own, norm = ("conv1", "_conv1") if name == "conv1" else (f"res{name}", name)
        spread = (2 / np.prod(shape[1:])) ** 0.5 / (60 if name == "conv1" else 1)
        write(f"{own}.0", spread * random.standard_normal(shape, dtype=np.float32))
        channels = shape[0]
        write(f"bn{norm}.0", FACTOR * random.normal(0, 0.3, channels))
        write(f"bn{norm}.1", FACTOR * random.uniform(0.5, 2, channels))
        write(f"bn{norm}.2", np.array([FACTOR]))
        write(f"scale{norm}.0", random.uniform(0.3, 1, channels))
        write(f"scale{norm}.1", random.normal(0, 0.3, channels))
    write("conv1.1", random.normal(0, 0.3, 64))
    return folder


@pytest.fixture(scope="module")
def made(blobs, tmp_path_factory):
    """The file of these tensors, and what was said of it."""
    path = tmp_path_factory.mktemp("made") / "inner" / "random.pt2"
    return path, weights.make("resnet50-he", blobs, path)


def by_the_paper(folder, images):
    """Maps of layer2 and layer3 of images (N, H, W, 3), as the authors' network computes them.

    In double precision, nothing folded. Only what surrounds an image is ImageNet's mean
    colour in torchvision's digits, where the authors have their own.
    """

    def tensor(name, *shape):
        values = np.fromfile(folder / f"{name}.bin", "<f4").astype(np.float64)
        return torch.from_numpy(values).view(shape or (1, -1, 1, 1))

    def normed(x, name):
        factor = tensor(f"bn{name}.2")
        x = (x - tensor(f"bn{name}.0") / factor) / (tensor(f"bn{name}.1") / factor + 1e-5).sqrt()
        return x * tensor(f"scale{name}.0") + tensor(f"scale{name}.1")

    def branch(x, name, **settings):
        return normed(F.conv2d(x, tensor(f"res{name}.0", *shapes[name]), **settings), name)

    shapes = dict(convolutions())
    around = 255 * torch.tensor(IMAGENET[0][::-1], dtype=torch.float64).view(1, 3, 1, 1)
    pixels = torch.from_numpy(images[..., ::-1].copy()).permute(0, 3, 1, 2).double()  # BGR
    count, _, height, width = pixels.shape
    x = around.expand(count, 3, height + 6, width + 6).clone()
    x[:, :, 3:-3, 3:-3] = pixels
    x = x - torch.tensor(CAFFE_MEAN, dtype=torch.float64).view(1, 3, 1, 1)
    bias = tensor("conv1.1").flatten()
    x = normed(F.conv2d(x, tensor("conv1.0", 64, 3, 7, 7), bias, stride=2), "_conv1").relu()
    x = F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, stride=2)
    maps = []
    for stage, blocks in BLOCKS.items():
        for block in blocks:
            name, stride = f"{stage}{block}_branch", 2 if block == "a" and stage > 2 else 1
            y = branch(x, f"{name}2a", stride=stride).relu()
            y = branch(branch(y, f"{name}2b", padding=1).relu(), f"{name}2c")
            x = (y + (branch(x, f"{name}1", stride=stride) if block == "a" else x)).relu()
        maps.append(x)
    return maps[1:]


def normalised(images):
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    return (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 96, 160)])
def test_the_program_computes_what_the_authors_network_does(shape, made, blobs):
    images = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = load_program(made[0]).module()(normalised(images))
    for one, expected, stride in zip(found, by_the_paper(blobs, images), (8, 16), strict=True):
        assert one.shape == (shape[0], 64 * stride, shape[1] // stride, shape[2] // stride)
        assert expected.std() > 0.3
        assert (one - expected).abs().max() < 1e-5 * expected.abs().max()


def test_a_file_that_was_made_is_a_backbone_and_of_other_tensors_another(made, monkeypatch):
    backbone = resolve_backbone("resnet50-he", str(made[0]))
    with pytest.raises(UserError, match=r"random\.pt2 is not resnet50-he: .*means of its maps are"):
        FeatureExtractor(backbone)
    program = torch.export.load(made[0]).module()
    own = [(tuple(m.shape), round(m.mean().item(), 2)) for m in program(torch.zeros(1, 3, 64, 64))]
    assert [shape for shape, _ in own] == [shape for shape, _ in extractor.HE_MAPS]
    monkeypatch.setattr(extractor, "HE_MAPS", own)
    images = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    features = FeatureExtractor(backbone, image_size=64)
    assert features(images).shape == (2, 512 + 1024, 8, 8)
    whole = program(normalised(images).contiguous())
    assert torch.equal(features.trunk(normalised(images))[1], whole[1])


def test_a_file_is_made_twice_in_the_same_bytes(made, blobs, tmp_path):
    path = tmp_path / "again.pt2"
    weights.make("resnet50-he", blobs, path)
    assert path.read_bytes() == made[0].read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["again.pt2"]


def test_it_is_said_whether_it_is_the_file_of_the_study(made, monkeypatch):
    path, (first, second, verdict) = made
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (first, second) == (str(path), f"SHA-256 {sha256}")
    assert verdict.startswith("not byte for byte the file that the study was measured with (453e")
    assert verdict.endswith("compared by one SHA-256, its 86 folded tensors are others")
    tensors = torch.export.load(path).state_dict.values()
    joined = b"".join(tensor.numpy().tobytes() for tensor in tensors)
    monkeypatch.setattr(weights, "TENSORS_SHA256", hashlib.sha256(joined).hexdigest())
    assert weights._verdict(path).endswith("its 86 folded tensors are bit for bit the same")
    monkeypatch.setattr(weights, "HE_SHA256", ("0123", sha256))
    assert weights._verdict(path).startswith("as it should be: byte for byte what is read of")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("conv1.0", None, "conv1.0.bin is missing: it should have 37,632 bytes"),
        ("res3a_branch1.0", b"1234", "res3a_branch1.0.bin has 4 bytes, not 524,288: get it again"),
        ("bn4f_branch2c.1", b"", "bn4f_branch2c.1.bin has 0 bytes, not 4,096: get it again"),
        ("bn2a_branch2a.2", b"\0\0\0\0", "the tensors of res2a_branch2a in"),
    ],
)
def test_a_tensor_that_is_not_there_or_not_whole_is_named(
    name, content, said, blobs, tmp_path, capsys
):
    for path in blobs.iterdir():
        if path.stem != name:
            (tmp_path / path.name).symlink_to(path)
    if content is not None:
        (tmp_path / f"{name}.bin").write_bytes(content)
    out = tmp_path / "out" / "x.pt2"
    assert main(["weights", "resnet50-he", str(tmp_path), "--output", str(out)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and said in line
    assert not out.exists()


def test_no_other_file_is_made(tmp_path, capsys):
    assert main(["weights", "resnet50", str(tmp_path)]) == 2
    expected = "error: the file of 'resnet50' is not made here; of these it is: resnet50-he\n"
    assert capsys.readouterr().err == expected
    with pytest.raises(UserError, match=r"conv1\.0\.bin is missing"):
        weights.make("resnet50-he", tmp_path / "nowhere", tmp_path / "x.pt2")


def test_the_command_says_where_the_file_is_and_what_to_do_with_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(weights, "FILE", tmp_path / "usual.pt2")
    monkeypatch.setattr(weights, "make", lambda name, folder, path: [str(path), "SHA-256 0", "ok"])
    assert main(["weights", "resnet50-he", "model"]) == 0
    path = tmp_path / "usual.pt2"
    expected = [str(path), "SHA-256 0", "ok", f"now: make book BACKBONE=resnet50-he WEIGHTS={path}"]
    assert capsys.readouterr().out.splitlines() == expected

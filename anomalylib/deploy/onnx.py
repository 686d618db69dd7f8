"""A fitted detector as one ONNX file: images in, score and anomaly map out."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import anomalylib
from anomalylib.deploy.resizing import resized
from anomalylib.deploy.saving import describe
from anomalylib.detectors.base import Detector
from anomalylib.detectors.blocks import cells_in_view
from anomalylib.errors import UserError, first_line
from anomalylib.files import written_whole

LARGEST = 2**31 - 2**24  # bytes of detector and backbone that one ONNX file can hold
OPSET = 18  # version of ONNX's operators; onnxruntime has had it since 1.14
PACKAGES = ("onnx", "onnxruntime", "onnxscript")  # of the extra ``onnx``
TOLERANCE = 1e-4
"""Largest difference allowed, as a share of the value or of the threshold if that is larger."""
CELLS = 0.99
"""Of a map that must keep to it. Features are rounded to half precision: one that falls the other
way moves its cell."""


class WholePath(nn.Module):
    """The way of a fitted detector from images to scores, as one module that can be traced."""

    def __init__(self, detector: Detector):
        super().__init__()
        self.side, self.top_k = detector.side, detector.top_k
        self.model = detector.model_
        self.features = getattr(detector, "features", None)
        view = None
        if detector.view_ is not None:
            (blank,) = detector.anomaly_maps(np.zeros((1, 8, 8, 3), np.uint8))  # for its grid
            view = torch.from_numpy(cells_in_view(detector.view_, blank.shape)).float()
        self.register_buffer("view", view)  # (h, w), or None

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores (N,) and maps (N, h, w) of images of one size, (N, H, W, 3), uint8."""
        x = resized(images, self.side)  # (N, S, S, 3)
        if self.features is not None:
            maps = self.features.feature_maps(x).permute(0, 2, 3, 1)  # (N, h, w, C)
            x = maps.half().clone(memory_format=torch.contiguous_format)  # as the cache keeps them
        maps = self.model(x)  # (N, h, w)
        maps = maps if self.view is None else maps * self.view
        cells = maps.flatten(1)  # (N, h*w)
        largest = cells.topk(min(self.top_k, cells.shape[1])).values  # (N, k)
        return largest.mean(dim=1), maps


def to_onnx(detector: Detector, path: str | Path) -> Path:
    """Write a fitted detector, from the resize to the score, as an ONNX file.

    Its input ``images`` is (N, H, W, 3), `uint8`, red first, of any N and any
    size: the resize is inside and gives bit for bit what Pillow gives.
    Its outputs are ``score``, (N,), and ``map``, (N, h, w), both `float32`. A
    part is called anomalous where ``score > threshold``; the threshold is in
    the file's metadata. Before it gets its name the file is run with
    onnxruntime on drawn images and compared with the detector.

    Parameters
    ----------
    detector : Detector
        Fitted, with a backbone in single precision.
    path : str or Path
        Where to write; the name ends in ``.onnx``. It is returned.

    Raises
    ------
    UserError
        If the detector cannot be exported, or the file gives other scores, or
        maps of which less than `CELLS` agree, to within `TOLERANCE`.

    Notes
    -----
    All N images are worked on at once. For *patchcore* each of them needs
    h x w x M x 4 bytes for its distances to a bank of M patches: 38 MB for a
    bank of 4,096 at 384 pixels. Where memory is short, run the
    images one by one, as `onnx_scores` does.
    """
    path = Path(path)
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        install = "install the extra onnx, in the study's folder: pip install '.[onnx]'"
        raise UserError(f"ONNX needs packages that are not here ({', '.join(missing)}): {install}")
    if path.suffix != ".onnx":
        raise UserError(f"{path} is no name for an ONNX file: let it end in .onnx")
    metadata = _metadata(detector)
    program = _traced(WholePath(detector).eval(), metadata["model"])
    program.model.metadata_props.update(metadata)
    with written_whole(path) as beside:
        program.save(beside, external_data=False)
        _verify(detector, beside)
    return path


def onnx_scores(path: str | Path, images: Sequence[np.ndarray]) -> np.ndarray:
    """Scores (N,) of images (H, W, 3), uint8, by a file of `to_onnx`, one at a time."""
    session = _opened(Path(path))
    runs = (session.run(["score"], {"images": images[i][None]}) for i in range(len(images)))
    return np.concatenate([score for (score,) in runs])


class KnownOperators(TorchFunctionMode):
    """While it is on, what ONNX has no operator for is done in operators that it has."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """Call another function where one of ours stands for it."""
        if function is torch.cdist:
            return distances(*args)
        return function(*args, **(kwargs or {}))


def distances(x: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Euclidean distances (N, M) of rows (N, D) to others (M, D)."""
    return (x[:, None] - others).square().sum(dim=2).sqrt()


def _traced(whole: WholePath, name: str) -> "torch.onnx.ONNXProgram":
    """The module, traced for any number and size of images, in ONNX's operators."""
    size = sum(tensor.nbytes for tensor in whole.state_dict().values())
    if size > LARGEST:
        large = f"this {name} holds {size / 1e9:.1f} GB, and an ONNX file at most 2"
        raise UserError(f"{large}: fit it so that it keeps less")
    example = torch.zeros(2, whole.side + 2, whole.side + 1, 3, dtype=torch.uint8)
    any_size = {"images": dict(enumerate(map(torch.export.Dim, "NHW")))}
    try:
        with KnownOperators():
            exported = torch.export.export(whole, (example,), dynamic_shapes=any_size)
        return torch.onnx.export(
            exported,
            input_names=["images"],
            output_names=["score", "map"],
            dynamic_shapes={"images": dict(enumerate("NHW"))},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    except Exception as error:  # the exporter raises whatever a traced program provokes
        why = first_line(error.__cause__ or error)
        raise UserError(f"this {name} cannot be written as ONNX ({why})") from None


def _metadata(detector: Detector) -> dict[str, str]:
    card = describe(detector)
    if detector.device_.type != "cpu":
        where = f"this detector is on {detector.device_}, and ONNX is written on the processor"
        raise UserError(f"{where}: load it with device='cpu'")
    if card.preprocessing.get("precision", "float32") != "float32":
        asked = card.preprocessing["precision"]
        raise UserError(f"a backbone in {asked} has no ONNX form: fit with precision='float32'")
    texts = {
        "model": card.model,
        "image_size": str(detector.side),
        "input": "RGB, uint8, any size: resized inside",
        "resize": f"as Image.resize, BILINEAR, of Pillow {PIL.__version__}",
        "threshold": repr(card.threshold),
        "decision": "anomalous where score > threshold",
        "anomalylib": anomalylib.__version__,
    }
    if card.backbone:
        texts |= {"backbone": card.backbone["name"], "layers": ",".join(card.backbone["layers"])}
        texts |= {"weights_sha256": card.backbone["sha256"]}
    return texts


def _opened(path: Path):
    """An onnxruntime session on as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an error class for each of many reasons
        raise UserError(f"onnxruntime cannot open {path}: {first_line(error)}") from None


def _verify(detector: Detector, path: Path) -> None:
    """Compare a file with its detector on drawn images, four together and one alone."""
    tall = _drawn_images(detector.side)
    wide = np.ascontiguousarray(tall[:1].swapaxes(1, 2))
    session = _opened(path)
    for batch in (tall, wide):
        scores, maps = session.run(["score", "map"], {"images": batch})
        expected = detector.anomaly_maps(batch)
        _compare("score", scores, detector.score_maps(expected), detector.threshold_, 1)
        _compare("map", maps, expected, detector.threshold_, CELLS)


def _compare(
    name: str, given: np.ndarray, expected: np.ndarray, threshold: float, share: float
) -> None:
    off = np.abs(given - expected)
    close = off <= TOLERANCE * np.maximum(np.abs(expected), threshold)
    if close.mean() < share:
        wrong = f"onnxruntime's {name} is up to {off.max():.2g} from the detector's"
        raise UserError(f"{wrong}: nothing is written, use the detector itself")


def _drawn_images(size: int) -> np.ndarray:
    """Noise, squares, a ramp and black, larger than `size` and taller than wide, uint8."""
    random = np.random.default_rng(0)
    rows, columns = np.indices((size + 40, size + 10))
    noise = random.integers(0, 256, (*rows.shape, 3))
    squares = random.integers(0, 256, (9, 9, 3))[rows // 9 % 9, columns // 9 % 9]
    ramp = (255 * columns // columns.max())[..., None].repeat(3, axis=2)
    return np.stack([noise, squares, ramp, np.zeros_like(noise)]).astype(np.uint8)

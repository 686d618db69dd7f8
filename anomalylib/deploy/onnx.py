"""A fitted detector as one ONNX file: images in, score and anomaly map out."""

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL
import torch

import anomalylib
from anomalylib.deploy.graphs import Graph, graph_of
from anomalylib.detectors.base import Detector
from anomalylib.errors import UserError, first_line
from anomalylib.files import written_whole

LARGEST = 2**31 - 2**24
"""Bytes of what was learned, and of the backbone, that one ONNX file can hold."""
OPSET = 18
"""Version of ONNX's operators; onnxruntime has had it since 1.14."""
TOLERANCE = 1e-4
"""Largest difference allowed, as a share of the value or of the threshold if that is larger."""
CELLS = 0.99
"""Of a map that must keep to it. Features are rounded to half precision: one that falls the other
way moves its cell, and may give *combined+* another neighbour there."""


def to_onnx(detector: Detector, path: str | Path) -> Path:
    """Write a fitted detector, from the resize to the score, as an ONNX file.

    Its input ``images`` is (N, H, W, 3), `uint8`, red first, of any N and any
    size: the resize is inside and gives bit for bit what `data.resize` gives.
    Its outputs are ``score``, (N,), and ``map``, (N, h, w), both `float32`. A
    part is called anomalous where ``score > threshold``; the threshold is in
    the file's metadata, with the arm, the image size, the backbone with the
    hash of its weights, and this library's version.

    Before it gets its name the file is run with onnxruntime on drawn images
    and compared with the detector, so that no wrong one is left.

    Parameters
    ----------
    detector : Detector
        One of the five arms, fitted, with a backbone in single precision.
    path : str or Path
        Where to write; the name ends in ``.onnx``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If a package is missing, the detector cannot be exported, or the file's
        scores or maps are not the detector's to within `TOLERANCE`.

    Notes
    -----
    In a map `CELLS` of the cells must agree, and of the scores all.

    All N images are worked on at once. For *patchcore* and *combined+* each of
    them needs h x w x M x 4 bytes for its distances to a bank of M patches:
    38 MB for a bank of 4,096 at 384 pixels. Where memory is short, run the
    images one by one, as `onnx_scores` does.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise UserError(f"{path} is no name for an ONNX file: let it end in .onnx")
    _need("onnx", "onnxscript", "onnxruntime")
    graph = graph_of(detector)
    program = _traced(graph)
    program.model.metadata_props.update(_metadata(detector, graph))
    with written_whole(path) as beside:
        program.save(beside, external_data=False)
        _verify(detector, beside, graph.size)
    return path


def onnx_scores(path: str | Path, images: Sequence[np.ndarray]) -> np.ndarray:
    """Scores of images by a file that `to_onnx` has written, one image at a time.

    Parameters
    ----------
    path : str or Path
    images : sequence of ndarray (H, W, 3), uint8
        Of any sizes.

    Returns
    -------
    ndarray, shape (N,), float32
    """
    session = _opened(Path(path))
    runs = (session.run(["score"], {"images": images[i][None]}) for i in range(len(images)))
    return np.concatenate([score for (score,) in runs])


def _need(*packages: str) -> None:
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError:
            install = "pip install --constraint constraints.txt --editable '.[onnx]'"
            raise UserError(f"ONNX files need the package {package}: {install}") from None


def _traced(graph: Graph) -> "torch.onnx.ONNXProgram":
    held = sum(tensor.nbytes for tensor in graph.state_dict().values())
    if held > LARGEST:
        large = f"this {graph.arm} holds {held / 1e9:.1f} GB, and an ONNX file at most 2"
        raise UserError(f"{large}: fit it so that it keeps less")
    example = torch.zeros(2, graph.size + 2, graph.size + 1, 3, dtype=torch.uint8)
    try:
        return torch.onnx.export(
            graph,
            (example,),
            input_names=["images"],
            output_names=["score", "map"],
            dynamic_shapes={"images": {0: "N", 1: "H", 2: "W"}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    except Exception as error:  # the exporter raises whatever a traced program provokes
        why = first_line(error.__cause__ or error)
        raise UserError(f"this {graph.arm} cannot be written as ONNX ({why})") from None


def _metadata(detector: Detector, graph: Graph) -> dict[str, str]:
    said = {
        "arm": graph.arm,
        "image_size": str(graph.size),
        "input": "RGB, uint8, any size: resized inside",
        "resize": f"as Image.resize, BILINEAR, of Pillow {PIL.__version__}",
        "threshold": repr(detector.threshold_),
        "decision": "anomalous where score > threshold",
        "anomalylib": anomalylib.__version__,
    }
    if hasattr(detector, "extractor"):
        backbone = detector.extractor.backbone
        said |= {"backbone": backbone.name, "layers": ",".join(backbone.layers)}
        said |= {"weights_sha256": backbone.sha256}
    return said


def _opened(path: Path):
    """An onnxruntime session on as many threads as torch has."""
    _need("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an error class for each of many reasons
        raise UserError(f"onnxruntime cannot open {path}: {first_line(error)}") from None


def _verify(detector: Detector, path: Path, size: int) -> None:
    """Compare a file with its detector on drawn images, four together and one alone."""
    tall = _drawn_images(size)
    wide = np.ascontiguousarray(tall[:1].swapaxes(1, 2))
    session = _opened(path)
    for batch in (tall, wide):
        scores, maps = session.run(["score", "map"], {"images": batch})
        _compare("score", scores, detector.score_samples(batch), detector.threshold_, 1)
        _compare("map", maps, detector.anomaly_maps(batch), detector.threshold_, CELLS)


def _compare(
    name: str, found: np.ndarray, expected: np.ndarray, threshold: float, share: float
) -> None:
    off = np.abs(found - expected)
    close = off <= TOLERANCE * np.maximum(np.abs(expected), threshold)
    if close.mean() < share:
        raise UserError(
            f"onnxruntime's {name} is up to {off.max():.2g} from the detector's: "
            "nothing is written, use the detector itself"
        )


def _drawn_images(size: int) -> np.ndarray:
    """Noise, squares, a ramp and black, larger than `size` and taller than wide, uint8."""
    random = np.random.default_rng(0)
    rows, columns = np.indices((size + 40, size + 10))
    noise = random.integers(0, 256, (*rows.shape, 3))
    squares = random.integers(0, 256, (9, 9, 3))[rows // 9 % 9, columns // 9 % 9]
    ramp = (255 * columns // columns.max())[..., None].repeat(3, axis=2)
    return np.stack([noise, squares, ramp, np.zeros_like(noise)]).astype(np.uint8)

"""Images to features, per second: the literal original, and what each change gives.

The weights are random, as speed does not depend on them, so that the original's
two layers can be measured where only the first of them can be had.
"""

from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet50

from anomalylib.features.batches import batch_size
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from tests.benchmarks.common import Row, Setup, in_turn

THREADS = 2
LAYERS = {"layer2": ("layer2",), "layer2 and layer3": ("layer2", "layer3")}
ORIGINAL = 32
"""Images a batch in the literal original."""
SIDE = 4096
"""Of the square matrices whose product says what the machine can give."""


class Original:
    """The whole classifier, with hooks, in single precision."""

    def __init__(self, file: Path, layers: tuple[str, ...]):
        self.network = resnet50(weights=None).eval()
        self.network.load_state_dict(safetensors.torch.load_file(file))
        self.maps: list[torch.Tensor] = []
        for layer in layers:
            block = getattr(self.network, layer)[-1]
            block.register_forward_hook(lambda module, given, out: self.maps.append(out))

    @torch.no_grad()
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.maps.clear()
        self.network(x)
        pooled = [F.avg_pool2d(m, 3, stride=1) for m in self.maps]
        side = self.maps[0].shape[-1]
        return torch.cat([F.adaptive_avg_pool2d(m, side) for m in pooled], dim=1)


def measure(setup: Setup) -> list[Row]:
    """Images per second of every variant, and the share of the machine's best."""
    torch.set_num_threads(THREADS)
    count = 8 if setup.quick else 2 * ORIGINAL
    images = np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
    setup.scratch.mkdir(parents=True, exist_ok=True)
    file = setup.scratch / "resnet50-random.safetensors"
    torch.manual_seed(0)
    safetensors.torch.save_file(resnet50(weights=None).state_dict(), file)
    rows = []
    for name, layers in LAYERS.items():
        rows += _rows(name, layers, file, images, setup.repeats(7))
    return rows


def _rows(
    name: str, layers: tuple[str, ...], file: Path, images: np.ndarray, repeats: int
) -> list[Row]:
    original = Original(file, layers)
    backbone = resolve_backbone("resnet50", str(file), ",".join(layers))
    single, half = (
        FeatureExtractor(backbone, precision=precision, device="cpu")
        for precision in ("float32", "bfloat16")
    )
    x = ((torch.from_numpy(images).permute(0, 3, 1, 2) / 255) - single.mean) / single.std
    x = x.contiguous()  # as torchvision's transforms give it
    side = 256 if len(images) < ORIGINAL else SIDE
    square = {dtype: torch.rand(side, side).to(dtype) for dtype in (torch.float32, torch.bfloat16)}
    work = {
        "original": lambda: [original(part) for part in x.split(ORIGINAL)],
        "cut and folded": lambda: _extract(single, images, ORIGINAL),
        "smaller batches": lambda: _extract(single, images, batch_size(224)),
        "bfloat16": lambda: _extract(half, images, batch_size(224)),
        "product float32": lambda: square[torch.float32] @ square[torch.float32],
        "product bfloat16": lambda: square[torch.bfloat16] @ square[torch.bfloat16],
    }
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        single.trunk(x[:1])
    rows = []
    for variant, seconds in in_turn(work, repeats).items():
        row = {"layers": name, "variant": variant, "threads": THREADS, "seconds": seconds}
        if variant.startswith("product"):
            rows.append(row | {"gflop": 2 * side**3 / 1e9})
        else:
            row |= {"images": len(images)}
            if variant != "original":
                row |= {"gflop": len(images) * counter.get_total_flops() / 1e9}
            rows.append(row)
    return rows


def _extract(extractor: FeatureExtractor, images: np.ndarray, batch: int) -> None:
    for start in range(0, len(images), batch):
        extractor(images[start : start + batch]).half()

"""anomalib's PatchCore on the same images and weights, in an environment of its own.

It stands alone: that environment has anomalib and torch, but not this library.
The model itself is timed, without the trainer around it, whose overhead is not
the method's: `make bench-peers`.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torchvision
from PIL import Image
from sklearn.metrics import roc_auc_score

from tests.benchmarks.common import Row, alone, in_turn, keep, machine

REFERENCE = "data/reference/benchmarks.json"
THREADS = 2
BATCH = 8
SIDE = 224
ASKED = ((0.1, 100), (0.01, 100), (0.01, None))
"""Share of the patches kept, and how many training images: the peer's own share takes time
that grows with the square of the images."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def read(path: Path) -> torch.Tensor:
    """One image as the peer wants it: (3, S, S), normalised."""
    with Image.open(path) as image:
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    x = torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1) / 255
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def batches(paths: list[Path]):
    """Images in batches (n, 3, S, S)."""
    for start in range(0, len(paths), BATCH):
        yield torch.stack([read(path) for path in paths[start : start + BATCH]])


def make_model(weights: str):
    """PatchCore on a ResNet-50 of local weights, which hold nothing above layer2."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    torch.manual_seed(0)
    backbone = torchvision.models.resnet50(weights=None)
    backbone.load_state_dict(safetensors.torch.load_file(weights), strict=False)
    return PatchcoreModel(layers=["layer2"], backbone=backbone.eval(), pre_trained=False)


def fit(model, paths: list[Path], share: float) -> None:
    """Collect the patches of the images and choose the memory bank."""
    model.train()
    model.feature_extractor.eval()
    for batch in batches(paths):
        model(batch)
    model.subsample_embedding(share)
    model.eval()


def category(folder: Path, weights: str, share: float, count: int | None) -> Row:
    """Fit and score times of a category, its AUROC, and one image's latency."""
    torch.set_num_threads(THREADS)
    train = sorted((folder / "train" / "good").glob("*.png"))[:count]
    test = sorted((folder / "test").glob("*/*.png"))
    labels = [int(path.parent.name != "good") for path in test]
    start = time.perf_counter()
    model = make_model(weights)
    fit(model, train, share)
    fitted = time.perf_counter()
    with torch.inference_mode():
        scores = torch.cat([model(batch).pred_score.flatten() for batch in batches(test)])
    done = time.perf_counter()
    x = read(test[0])[None]
    latency = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with torch.inference_mode():
            seconds = in_turn({"one": lambda: model(x)}, 30)["one"]
        latency[str(threads)] = [1000 * value for value in seconds]
    return {
        "category": folder.name,
        "coreset": share,
        "threads": THREADS,
        "fit": fitted - start,
        "score": done - fitted,
        "images": [len(train), len(test)],
        "auroc": float(roc_auc_score(labels, scores.numpy())),
        "milliseconds": latency,
    }


def export(folder: Path, weights: str, file: Path) -> None:
    """Fit on the first hundred images, one patch in a hundred, and write what the inferencer reads.

    Its own preprocessing is set to the size and normalisation that the study has.
    """
    from anomalib.models import Patchcore

    model = make_model(weights)
    fit(model, sorted((folder / "train" / "good").glob("*.png"))[:100], 0.01)
    prepared = Patchcore.configure_pre_processor(image_size=(SIDE, SIDE))
    whole = Patchcore(backbone="resnet50", pre_trained=False, pre_processor=prepared)
    whole.model = model
    torch.save({"model": whole.eval()}, file)


def main() -> None:
    """Measure what is asked and write the section ``peers``; or export a model for ``live``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", default="")
    parser.add_argument("--weights", default="")
    parser.add_argument("--category", default="metal_nut")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--output", default="")
    parser.add_argument("--export", default="", help="file to write; nothing is measured")
    options = parser.parse_args()
    if not options.data_root or not options.weights:
        parser.error("give DATA_ROOT, a folder of categories, and WEIGHTS, a ResNet-50's file")
    import anomalib

    os.environ["TQDM_DISABLE"] = "1"
    if options.export:
        folder = Path(options.data_root) / options.category
        export(folder, options.weights, Path(options.export))
        return
    rows = []
    for repeat in range(options.repeats):
        for share, count in ASKED:
            folder = Path(options.data_root) / options.category
            row, peak = alone(category, folder, options.weights, share, count)
            rows.append(row | {"repeat": repeat, "peak_mb": peak})
            print(share, row["images"], round(row["fit"]), "s", row["auroc"], flush=True)
            on = machine(THREADS) | {"anomalib": anomalib.__version__}
            keep(Path(options.output or REFERENCE), "peers", rows, on)


if __name__ == "__main__":
    main()

"""Results, tables and benchmarks drawn at random for the tests of the study."""

import itertools

import numpy as np
import pandas as pd

from study.names import LARGER, MAIN, MEASURED
from study.tables import reference as tables
from study.tables.results import Result

LABELS = np.array([0] * 6 + [1] * 8)
IMAGES = [f"test/{'bent' if label else 'good'}/{i}.png" for i, label in enumerate(LABELS)]
VARIANTS = {"patchcore": (LARGER, "layer2", "layer3"), "combined": ("layer2", "layer3")}
BACKBONE = {"name": "net", "layers": ["a"], "path": "f.pth", "sha256": "ab" * 32, "chosen": "me"}


def make_result(model="combined", **changes):
    values = dict(
        category="metal_nut",
        model=model,
        dataset="drawings",
        seed=0,
        synthetic=True,
        settings={"sigma": 3.0},
        backbone=None if model == "autoencoder" else BACKBONE,
        fingerprint="cd" * 32,
        names=["a", "b", "c", "d"],
        defect_types=["good", "good", "bent", "bent"],
        labels=[0, 0, 1, 1],
        scores=[0.1, 0.3, 0.2, 0.9],
        mean_grey=[1.0, 1.0, 1.0, 1.0],
        normal_scores=[0.1, 0.2],
        threshold=0.25,
        seconds={"fit": 1.0},
        versions={"python": "3"},
        machine="cpu",
        date="2026-01-01",
    )
    return Result(**values | changes)


def reference_tables(categories=("metal_nut",), times=1):
    """Tables of some categories with every model, control and variant; `times` as many images."""
    labels = np.tile(LABELS, times)
    images = [f"test/{'bent' if label else 'good'}/{i:02d}.png" for i, label in enumerate(labels)]
    random = np.random.default_rng(0)
    scores, nominal = [], []
    models = [("autoencoder", ""), *((model, MAIN) for model in MEASURED[1:])]
    models += [(name, "") for name in tables.CONTROLS]
    usual = ("plain", "held-out", "brightness-normalised")
    for category, (model, backbone) in itertools.product(categories, models):
        for variant in (*usual, *VARIANTS.get(model, ())):
            own = {"category": category, "variant": variant, "model": model, "backbone": backbone}
            value = np.exp(random.normal(size=len(labels)) + labels)
            columns = {"seed": 0, "image": images, "label": labels, "defect_type": "bent"}
            columns |= dict.fromkeys(("score_top10", "score_mean", "score_max"), value)
            scores.append(pd.DataFrame(own | columns))
            if model in MEASURED and variant in ("plain", "held-out", LARGER):
                for which in ("training", "held-out")[: 1 + (variant == "held-out")]:
                    learned = {"seed": 0, "images": which, "score": np.exp(random.normal(size=30))}
                    nominal.append(pd.DataFrame(own | learned))
    scores, nominal = pd.concat(scores), pd.concat(nominal)
    runs = scores[[*tables.GROUP, "seed"]].drop_duplicates()
    runs = runs.assign(layers="", image_size=1, pixel_auroc=0.5, aupro=0.5)
    summary = tables.summarise(scores, nominal, runs)
    return scores, nominal, summary, tables.decisions(scores, nominal)


EXTRACTION = [
    {"layers": "layer2", "variant": "original", "seconds": [4.0, 2.0, 6.0], "images": 20.0},
    {"layers": "layer2", "variant": "cut", "seconds": [2.0, 1.0, 2.0], "images": 20, "gflop": 60.0},
    {"layers": "layer2", "variant": "bfloat16", "seconds": [1.0] * 3, "images": 20, "gflop": 60.0},
    {"layers": "layer2", "variant": "product float32", "seconds": [1.0] * 3, "gflop": 50.0},
    {"layers": "layer2", "variant": "product bfloat16", "seconds": [0.5] * 3, "gflop": 50.0},
]


def recipe(name, points, seed=0):
    keys = ("epochs", "seconds", "held_out_error", "auroc")
    said = {"category": "metal_nut", "seed": seed, "recipe": name}
    return [said | dict(zip(keys, point, strict=True)) for point in points]


TRAINING = [
    *recipe("literal, 32 images a step", [(25, 50.0, 0.3, 0.9), (50, 100.0, 0.2, 0.95)]),
    *recipe("shuffled vectors, float32", [(1, 5.0, 0.25, 0.94), (2, 10.0, 0.19, 0.96)]),
    *recipe("shuffled vectors, bfloat16", [(1, 3.0, 0.26, 0.9), (2, 6.0, 0.21, 0.91)]),
]
CATEGORY = [
    {"model": model, "state": state, "fit": fit, "score": 2.0, "images": [10, 20]}
    | {"peak_mb": 900.0 + fit, "auroc": 0.9}
    for model in MEASURED
    for state, times in {"cold": (30.0, 50.0), "all kept": (1.0, 3.0)}.items()
    for fit in times
]
PEERS = [
    {"coreset": share, "fit": 300.0, "score": 4.0, "images": [count, 20], "peak_mb": 2000.0}
    | {"auroc": 0.99, "milliseconds": {"1": [100.0, 110.0, 120.0], "2": [60.0, 70.0, 80.0]}}
    for share, count in ((0.1, 5), (0.01, 10))
]
ONE = [
    {"model": model, "threads": threads, "milliseconds": [20.0 / threads] * 10}
    for model in MEASURED
    for threads in (1, 2)
]
GROWTH = [
    {"model": model, "images": count, "side": side, "seconds": count / 50, "peak_mb": 900.0}
    | {"wide": wide}
    for model in ("features", *MEASURED)
    for count, side, wide in zip(
        (100, 400, 400, 480), (224, 224, 448, 224), (False, False, False, True), strict=True
    )
]
MACHINE = {"processor": "a processor", "threads": 2}

"""FeatCAE's training: how long until nominal images it has not seen are reconstructed as well.

The literal recipe shows whole feature maps, with Adam at one constant rate, for
fifty epochs. It does not say how many images a step; that of the extraction is
taken, and a smaller number beside it. Both learn from the same scaled features.
"""

import time

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from anomalylib.detectors.blocks import aggregate, joined
from anomalylib.detectors.combined import Combined, channel_moments
from anomalylib.detectors.networks import FeatCAE
from anomalylib.features.cache import Stored
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_category
from study.runs.measurement import split_off
from tests.benchmarks.common import Row, Setup

THREADS = 2
EPOCHS, RATE = 50, 1e-3
LATENT = 50
OURS = (1, 2, 4)
"""Epochs of the study's own recipe."""
SEEDS = 3


class Literal:
    """The literal recipe, with a look at the clock and at the held-out error now and then."""

    def __init__(self, features: Stored, batch: int, seed: int):
        self.features = features
        self.batch = min(batch, len(features))
        self.mean, self.std = channel_moments(features)  # (C,) each
        torch.manual_seed(seed)
        self.order = np.random.default_rng(seed)
        self.model = FeatCAE(features.shape[-1], LATENT).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=RATE)
        self.seconds = 0.0

    def scaled(self, block: np.ndarray) -> torch.Tensor:
        x = (torch.from_numpy(block).float() - self.mean) / self.std  # (n, H, W, C)
        return x.permute(0, 3, 1, 2)  # (n, C, H, W)

    def epoch(self) -> None:
        self.model.train()
        start = time.perf_counter()
        steps = len(self.features) // self.batch
        shuffled = self.order.permutation(len(self.features))[: steps * self.batch]
        for chosen in shuffled.reshape(steps, self.batch):
            x = self.scaled(self.features[np.sort(chosen)])
            loss = nn.functional.mse_loss(self.model(x), x)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
        self.seconds += time.perf_counter() - start

    @torch.inference_mode()
    def maps(self, features: Stored) -> np.ndarray:
        self.model.eval()
        parts = [self.scaled(features[i : i + 8]) for i in range(0, len(features), 8)]
        return np.concatenate([(self.model(x) - x).square().mean(dim=1).numpy() for x in parts])


def measure(setup: Setup) -> list[Row]:
    """Seconds, held-out error and AUROC, of either recipe."""
    torch.set_num_threads(THREADS)
    rows = []
    for seed in range(setup.repeats(SEEDS)):
        for number, name in enumerate(setup.categories):
            rows += _rows(setup, name, seed, batches=(32,) if number else (32, 8))
    return rows


def _rows(setup: Setup, name: str, seed: int, batches: tuple[int, ...]) -> list[Row]:
    whole = load_category(setup.data_root, name)
    category, held_out = split_off(whole, seed)
    backbone = resolve_backbone("auto", setup.weights, setup.layers)
    extractor = FeatureExtractor(backbone, image_size=64 if setup.quick else 224)
    settings = {"cache": setup.scratch, "keep": False, "seed": seed, "latent": LATENT}
    parts = {"train": category.train, "held out": held_out, "test": category.test}
    detector = Combined(extractor, **settings)
    features = {part: detector.prepare(images) for part, images in parts.items()}
    epochs = 2 if setup.quick else EPOCHS
    said = {"category": name, "seed": seed, "threads": THREADS, "backbone": str(backbone)}

    def scored(maps) -> Row:
        scores = aggregate(maps(features["test"]), 10)
        return {
            "held_out_error": float(maps(features["held out"]).mean()),
            "auroc": float(roc_auc_score(category.test.labels, scores)),
        }

    rows = []
    for batch in batches:
        literal = Literal(features["train"], batch, seed)
        for epoch in range(1, epochs + 1):
            literal.epoch()
            if epoch % 5 == 0 or epoch == epochs:
                own = {"recipe": f"literal, {batch} images a step", "epochs": epoch}
                rows.append(said | own | {"seconds": literal.seconds} | scored(literal.maps))
    for precision in ("float32", "bfloat16"):
        extractor.precision = precision  # of the training; the features are there
        for epoch in OURS[:2] if setup.quick else OURS:
            detector = Combined(extractor, epochs=epoch, **settings)
            start = time.perf_counter()
            detector.restore(detector._learn(features["train"]))
            seconds = time.perf_counter() - start
            own = {"recipe": f"shuffled vectors, {precision}", "epochs": epoch}
            rows.append(said | own | {"seconds": seconds} | scored(_maps_of(detector)))
    return rows


def _maps_of(detector: Combined):
    return lambda features: joined(detector.maps(features), len(features))

"""One image, decoded, to score and heat map: milliseconds on one thread and on two."""

import torch

from tests.benchmarks.common import Row, Setup, alone, in_turn
from tests.benchmarks.models import MODELS, build, load

SECONDS = 0.001


def measure(setup: Setup) -> list[Row]:
    """Milliseconds of every model, the models in turn."""
    return [row for threads in (1, 2) for row in alone(_latency, setup, threads)[0]]


def _latency(setup: Setup, threads: int) -> list[Row]:
    torch.set_num_threads(threads)
    name = setup.categories[0]
    category = load(setup, name)
    image = category.test[0]
    learned = {"autoencoder": {"epochs": 1}, "combined": {"epochs": 1}}  # speed is the same
    work = {}
    for model in MODELS:
        detector = build(setup, model, learned.get(model, {}), setup.scratch).fit(category.train)
        work[model] = lambda detector=detector: detector.score_samples([image])
    seconds = in_turn(work, setup.repeats(30))
    said = {"category": name, "threads": threads}
    return [
        said | {"model": model, "milliseconds": [value / SECONDS for value in values]}
        for model, values in seconds.items()
    ]

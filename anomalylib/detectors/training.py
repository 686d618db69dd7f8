"""Learning to reconstruct: the one training loop, and what each autoencoder is shown."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from anomalylib.features.cache import Stored

POOL = 2**15
"""Feature vectors that are shuffled together; those of 41 images at 224 pixels."""


class Batches(NamedTuple):
    """Training examples, a few at a time, never all in memory.

    Parameters
    ----------
    steps : int
        Batches of an epoch.
    of_epoch : callable
        Yields the tensors of one epoch, in an order that it draws from the
        generator it is given.
    """

    steps: int
    of_epoch: Callable[[np.random.Generator], Iterator[torch.Tensor]]


def image_batches(images: Stored, size: int) -> Batches:
    """Whole images, shuffled.

    Parameters
    ----------
    images : FileArray or ndarray, shape (N, S, S, 3), uint8
    size : int
        Images a batch. The last, smaller batch of an epoch is left out, as
        batch norm on one or two examples would be noise.
    """
    size = min(size, len(images))
    steps = len(images) // size

    def of_epoch(order: np.random.Generator) -> Iterator[torch.Tensor]:
        shuffled = order.permutation(len(images))[: steps * size]
        for chosen in shuffled.reshape(steps, size):
            yield as_pixels(images[np.sort(chosen)])  # (n, 3, S, S)

    return Batches(steps, of_epoch)


def row_batches(
    features: Stored, size: int, prepare: Callable[[np.ndarray], torch.Tensor]
) -> Batches:
    """Feature vectors of many images, shuffled together.

    Neighbouring vectors of one image resemble each other. A batch of vectors
    from everywhere says more of the whole than as many of a few images, so
    that fewer passes will do. The file is read in pools of some random images
    each, and only one pool is in memory.

    Parameters
    ----------
    features : FileArray or ndarray, shape (N, H, W, C)
    size : int
        Vectors a batch. The last, smaller batch of a pool is left out.
    prepare : callable
        Makes a tensor (1, C, 1, n) of (1, n, C) feature vectors.
    """
    count, height, width, channels = features.shape
    places = height * width
    size = min(size, count * places)
    pool = max(POOL // places, -(-size // places), 1)  # images
    firsts = range(0, count, pool)
    steps = sum(min(pool, count - first) * places // size for first in firsts)

    def of_epoch(order: np.random.Generator) -> Iterator[torch.Tensor]:
        shuffled = order.permutation(count)
        for first in firsts:
            some = features[np.sort(shuffled[first : first + pool])]  # (n, H, W, C)
            rows = some.reshape(-1, channels)  # (n*H*W, C)
            mixed = order.permutation(len(rows))
            for start in range(0, len(rows) - size + 1, size):
                yield prepare(rows[mixed[start : start + size]][None, None])  # (1, C, 1, n)

    return Batches(steps, of_epoch)


def as_pixels(images: np.ndarray) -> torch.Tensor:
    """Images (N, S, S, 3) of `uint8` as a tensor (N, 3, S, S) in 0 to 1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2) / 255


def fit_reconstruction(
    make_model: Callable[[], nn.Module],
    batches: Batches,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    precision: str = "float32",
    on_epoch: Callable[[int, nn.Module], None] | None = None,
) -> dict[str, torch.Tensor]:
    """Train a model to return its input: MSE, Adam, one cycle, last epoch.

    Parameters
    ----------
    make_model : callable
        Builds the model; called once the seed is set.
    batches : Batches
        From `image_batches` or `row_batches`.
    epochs : int
        Passes over them. The last epoch's model is returned: nothing is
        chosen by looking at a validation or test set.
    learning_rate : float
        Peak of the one-cycle schedule (Smith, Topin, 2019).
    seed : int
        Of the initial weights and the order of the examples.
    precision : str
        ``"float32"``, or ``"bfloat16"`` for the network's products; weights
        and error stay in single precision.
    on_epoch : callable, optional
        Told each epoch's number, from 1, and the model in eval mode: to watch,
        not to choose.

    Returns
    -------
    dict of str to Tensor
        The model's state, and ``losses``, the mean training loss of each
        epoch; see `restored`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make_model().to(memory_format=torch.channels_last).train()
    order = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=learning_rate, total_steps=epochs * batches.steps
    )
    half = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    losses = []
    for _ in tqdm(range(epochs), desc="training", unit="epoch"):
        total = 0.0
        for batch in batches.of_epoch(order):
            with half:
                restored = model(batch)
            loss = nn.functional.mse_loss(restored.float(), batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        losses.append(total / batches.steps)
        if on_epoch:
            on_epoch(len(losses), model.eval())
            model.train()
    return model.state_dict() | {"losses": torch.tensor(losses, dtype=torch.float64)}


def restored(
    make_model: Callable[[], nn.Module], trained: dict[str, torch.Tensor]
) -> tuple[nn.Module, list[float]]:
    """The model that `fit_reconstruction` has trained, and its losses.

    Parameters
    ----------
    make_model : callable
        Builds the model.
    trained : dict of str to Tensor
        From `fit_reconstruction`; other names are left aside.

    Returns
    -------
    model : Module
        In eval mode.
    losses : list of float
    """
    with torch.random.fork_rng(devices=[]):
        model = make_model().to(memory_format=torch.channels_last)
    model.load_state_dict({name: trained[name] for name in model.state_dict()})
    return model.eval(), trained["losses"].tolist()

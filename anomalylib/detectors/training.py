"""Learning to reconstruct: the one training loop, and what each autoencoder is shown."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from anomalylib.devices import CPU
from anomalylib.features.cache import Stored

POOL = 2**15
"""Feature vectors that are shuffled together; those of 41 images at 224 pixels."""


class Batches(NamedTuple):
    """Training examples, a few at a time, never all in memory."""

    steps: int  # batches of an epoch
    # the inputs (n, H, W, C) of one epoch, in an order drawn from the generator
    of_epoch: Callable[[np.random.Generator], Iterator[np.ndarray]]


class ReconstructionError(nn.Module):
    """Squared error of a network that was trained to return its input, mean over channels."""

    def __init__(self, network: nn.Module, epochs: int):
        super().__init__()
        self.network = network  # (N, C, H, W) to the same
        self.register_buffer("losses", torch.zeros(epochs))  # of each epoch

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map of each input: (N, H, W, C) to (N, H, W)."""
        x = self.scaled(inputs)  # (N, C, H, W)
        return (self.network(x) - x).square().mean(dim=1)  # (N, H, W)

    def scaled(self, inputs: torch.Tensor) -> torch.Tensor:
        """What the network is shown of the inputs: (N, H, W, C) to (N, C, H, W)."""
        raise NotImplementedError


def image_batches(images: Stored, size: int) -> Batches:
    """Whole images (N, S, S, 3), uint8, shuffled, `size` a batch.

    The last, smaller batch of an epoch is left out, as batch norm on one or two
    examples would be noise.
    """
    size = min(size, len(images))
    steps = len(images) // size

    def of_epoch(order: np.random.Generator) -> Iterator[np.ndarray]:
        shuffled = order.permutation(len(images))[: steps * size]
        for chosen in shuffled.reshape(steps, size):
            yield images[np.sort(chosen)]  # (n, S, S, 3)

    return Batches(steps, of_epoch)


def row_batches(features: Stored, size: int) -> Batches:
    """Feature vectors of (N, H, W, C), shuffled together, `size` a batch.

    Neighbouring vectors of one image resemble each other, so that a batch from
    everywhere says more than as many of a few images. The file is read in pools
    of some random images each, and only one pool is in memory.
    """
    count, height, width, channels = features.shape
    places = height * width
    size = min(size, count * places)
    pool = max(POOL // places, -(-size // places), 1)  # images
    firsts = range(0, count, pool)
    steps = sum(min(pool, count - first) * places // size for first in firsts)

    def of_epoch(order: np.random.Generator) -> Iterator[np.ndarray]:
        shuffled = order.permutation(count)
        for first in firsts:
            some = features[np.sort(shuffled[first : first + pool])]  # (n, H, W, C)
            rows = some.reshape(-1, channels)  # (n*H*W, C)
            mixed = order.permutation(len(rows))
            for start in range(0, len(rows) - size + 1, size):
                yield rows[mixed[start : start + size]][None, None]  # (1, 1, n, C)

    return Batches(steps, of_epoch)


def fit_reconstruction(
    make: Callable[[], ReconstructionError],
    batches: Batches,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    precision: str = "float32",
    device: torch.device = CPU,
    on_epoch: Callable[[int, ReconstructionError], None] | None = None,
) -> dict[str, torch.Tensor]:
    """Train a network to return its input: MSE, Adam, one cycle (Smith, Topin, 2019).

    `make` builds the network with its error once the seed is set; its state
    after the last epoch is returned, with the mean loss of each epoch: nothing
    is chosen by looking at a validation or test set. In ``"bfloat16"`` the
    network's products are, not weights and error. `on_epoch` is told each
    epoch's number, from 1, and the error in eval mode: to watch, not to choose.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        error = make().to(device, memory_format=torch.channels_last).train()
    order = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(error.network.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=learning_rate, total_steps=epochs * batches.steps
    )
    half = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
    for epoch in tqdm(range(epochs), desc="training", unit="epoch"):
        # In one place: small tensors kept between large temporary ones would split the memory,
        # and as numbers an accelerator would wait for each.
        lost = torch.zeros(batches.steps, device=device)
        for step, inputs in enumerate(batches.of_epoch(order)):
            batch = error.scaled(torch.as_tensor(inputs, device=device))  # (n, C, H, W)
            with half:
                restored = error.network(batch)
            loss = nn.functional.mse_loss(restored.float(), batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            lost[step] = loss.detach()
        error.losses[epoch] = lost.mean()
        if on_epoch:
            on_epoch(epoch + 1, error.eval())
            error.train()
    return error.state_dict()

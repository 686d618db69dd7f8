"""Learning to reconstruct: the one training loop, for both autoencoders."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from tqdm import tqdm


def fit_reconstruction(
    make_model: Callable[[], nn.Module],
    load: Callable[[np.ndarray], torch.Tensor],
    count: int,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    on_epoch: Callable[[int, nn.Module], None] | None = None,
) -> tuple[nn.Module, list[float]]:
    """Train a model to return its input: MSE, Adam, one cycle, last epoch.

    Parameters
    ----------
    make_model : callable
        Builds the model; called once the seed is set.
    load : callable
        Gives the training examples of an index array as a tensor (n, C, H, W).
    count : int
        How many training examples there are.
    epochs : int
        Passes over them. The last epoch's model is returned: nothing is
        chosen by looking at a validation or test set.
    learning_rate : float
        Peak of the one-cycle schedule (Smith, Topin, 2019).
    batch_size : int
        Examples per step. The last, smaller batch of an epoch is left out, as
        batch norm on one or two images would be noise.
    seed : int
        Of the initial weights and the order of the examples.
    on_epoch : callable, optional
        Told each epoch's number, from 1, and the model in eval mode: to watch,
        not to choose.

    Returns
    -------
    model : Module
        In eval mode.
    losses : list of float
        Mean training loss of each epoch.
    """
    batch_size = min(batch_size, count)
    steps = count // batch_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make_model().to(memory_format=torch.channels_last).train()
    order = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=learning_rate, total_steps=epochs * steps
    )
    losses = []
    for _ in tqdm(range(epochs), desc="training", unit="epoch"):
        total = 0.0
        shuffled = order.permutation(count)[: steps * batch_size]
        for chosen in shuffled.reshape(steps, batch_size):
            batch = load(np.sort(chosen))  # (n, C, H, W)
            loss = nn.functional.mse_loss(model(batch), batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        losses.append(total / steps)
        if on_epoch:
            on_epoch(len(losses), model.eval())
            model.train()
    return model.eval(), losses

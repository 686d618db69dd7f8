import numpy as np
import pytest
import torch

from anomalylib.detectors import training
from anomalylib.detectors.networks import FeatCAE
from anomalylib.detectors.training import (
    ReconstructionError,
    fit_reconstruction,
    image_batches,
    row_batches,
)


def rank_one(seed=0):
    one = np.random.default_rng(seed).normal(size=(12, 2, 2, 1)).astype(np.float32)
    return one.repeat(6, axis=-1)  # one number in six channels


class Error(ReconstructionError):
    def scaled(self, inputs):
        return inputs.permute(0, 3, 1, 2)


def fit(seed, epochs, data=None, size=16, **more):
    data = rank_one() if data is None else data
    channels = data.shape[-1]

    def make():
        return Error(FeatCAE(channels, 2), epochs)

    settings = {"epochs": epochs, "learning_rate": 1e-2, "seed": seed}
    trained = fit_reconstruction(make, row_batches(data, size), **settings, **more)
    with torch.random.fork_rng():
        error = make()
    error.load_state_dict(trained)
    return error.eval(), error.losses.tolist()


def test_it_learns_to_reconstruct():
    _, losses = fit(seed=0, epochs=60)
    assert losses[-1] < 0.3 * losses[0]
    assert len(losses) == 60


def test_one_seed_gives_one_result():
    first, losses = fit(seed=3, epochs=3)
    torch.randn(5)  # whatever else has drawn random numbers
    again, losses_again = fit(seed=3, epochs=3)
    assert losses == losses_again
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert fit(seed=4, epochs=3)[1] != losses


def test_the_global_random_state_is_left_alone():
    before = torch.random.get_rng_state()
    fit(seed=5, epochs=1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_fewer_vectors_than_a_batch_still_train():
    data = np.random.default_rng(0).normal(size=(3, 2, 2, 4)).astype(np.float32)
    assert len(fit(seed=0, epochs=2, data=data, size=512)[1]) == 2


def test_half_the_precision_learns_much_the_same():
    data = np.random.default_rng(0).normal(size=(12, 4, 4, 3)).astype(np.float32).repeat(4, -1)
    whole, half = (fit(0, 20, data, 32, precision=p)[1] for p in ("float32", "bfloat16"))
    assert whole != half
    assert half[-1] == pytest.approx(whole[-1], rel=0.25)


def test_watching_changes_nothing():
    data, seen = rank_one(), []

    def watch(epoch, model):
        seen.append((epoch, model.training))
        model(torch.from_numpy(data))

    model, losses = fit(seed=0, epochs=3, on_epoch=watch)
    assert seen == [(1, False), (2, False), (3, False)]
    plain, plain_losses = fit(seed=0, epochs=3)
    assert losses == plain_losses
    assert torch.equal(model(torch.from_numpy(data)), plain(torch.from_numpy(data)))


def numbered(count, height, width):
    """Each vector is its own number, twice."""
    numbers = np.arange(count * height * width, dtype=np.float32)
    return numbers.reshape(count, height, width, 1).repeat(2, axis=-1)


@pytest.mark.parametrize("pool", [6, 24, 10**6])
def test_an_epoch_shows_each_vector_once(pool, monkeypatch):
    monkeypatch.setattr(training, "POOL", pool)
    batches = row_batches(numbered(5, 2, 3), 3)
    shown = [batch[0, 0] for batch in batches.of_epoch(np.random.default_rng(0))]
    assert len(shown) == batches.steps == 10
    assert all(rows.shape == (3, 2) and np.array_equal(*rows.T) for rows in shown)
    seen = np.concatenate([rows[:, 0] for rows in shown]).tolist()
    assert sorted(seen) == list(range(30))
    assert seen != sorted(seen)


def test_a_batch_has_vectors_of_many_images():
    batches = row_batches(numbered(20, 4, 4), 32)
    first = next(iter(batches.of_epoch(np.random.default_rng(1))))
    assert len({int(number) // 16 for number in first[0, 0, :, 0]}) > 10


def test_steps_are_counted_as_they_come(monkeypatch):
    monkeypatch.setattr(training, "POOL", 40)
    for count, size in [(1, 4), (3, 5), (7, 16), (7, 41), (4, 1000)]:
        batches = row_batches(numbered(count, 4, 4), size)
        assert len(list(batches.of_epoch(np.random.default_rng(0)))) == batches.steps > 0


def test_an_epoch_shows_each_image_once():
    images = np.arange(7, dtype=np.uint8)[:, None, None, None].repeat(3, axis=-1)
    batches = image_batches(images, 2)
    shown = list(batches.of_epoch(np.random.default_rng(0)))
    assert len(shown) == batches.steps == 3 and shown[0].shape == (2, 1, 1, 3)
    seen = {value for batch in shown for value in batch[:, 0, 0, 0].tolist()}
    assert len(seen) == 6 and seen <= set(range(7))

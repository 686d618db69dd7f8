import torch

from anomalylib.models import FeatCAE
from anomalylib.training import fit_reconstruction


def rank_one(seed=0):
    generator = torch.Generator().manual_seed(seed)
    one = torch.randn(12, 1, 2, 2, generator=generator)
    return one.repeat(1, 6, 1, 1)  # one number in six channels


def fit(seed, epochs):
    data = rank_one()
    return fit_reconstruction(
        lambda: FeatCAE(6, 2),
        lambda chosen: data[chosen],
        len(data),
        epochs=epochs,
        learning_rate=1e-2,
        batch_size=4,
        seed=seed,
    )


def test_it_learns_to_reconstruct():
    model, losses = fit(seed=0, epochs=60)
    assert losses[-1] < 0.3 * losses[0]
    assert len(losses) == 60
    assert not model.training


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


def test_fewer_images_than_a_batch_still_train():
    data = torch.randn(3, 4, 2, 2)
    _, losses = fit_reconstruction(
        lambda: FeatCAE(4, 1),
        lambda chosen: data[chosen],
        3,
        epochs=2,
        learning_rate=1e-3,
        batch_size=16,
        seed=0,
    )
    assert len(losses) == 2


def test_watching_changes_nothing():
    data, seen = rank_one(), []
    settings = {"epochs": 3, "learning_rate": 1e-2, "batch_size": 4, "seed": 0}

    def watch(epoch, model):
        seen.append((epoch, model.training))
        model(data)

    model, losses = fit_reconstruction(
        lambda: FeatCAE(6, 2), lambda chosen: data[chosen], len(data), on_epoch=watch, **settings
    )
    assert seen == [(1, False), (2, False), (3, False)]
    plain, plain_losses = fit(seed=0, epochs=3)
    assert losses == plain_losses
    assert torch.equal(model(data), plain(data))

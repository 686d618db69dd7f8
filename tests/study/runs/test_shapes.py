from torch import nn

from anomalylib.detectors.networks import FeatCAE
from study.runs import shapes


def test_shapes_are_those_of_the_layers():
    network = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.Flatten(), nn.Linear(5 * 3 * 3, 2))
    seen = shapes.shapes_through(network.to("meta"), 3, 8, 8)
    assert seen == [("Conv2d", (5, 3, 3)), ("Flatten", (45,)), ("Linear", (2,))]


def test_the_autoencoder_squeezes_an_image_and_draws_it_again():
    steps = shapes.autoencoder_steps(128, 64)
    assert steps[0].shape == steps[-2].shape == (3, 128, 128)
    assert [step.shape for step in steps if step.name == "code"] == [(64,)]


def test_the_reports_features_have_its_channels_and_featcae_narrows_them():
    steps = dict(shapes.feature_steps()[0])
    assert steps["layer2"] == (512, 28, 28) and steps["layer3"] == (1024, 14, 14)
    assert steps["pooled, aligned, stacked"] == (1536, 28, 28)
    tail = [
        step.shape[0] for step in shapes.combined_steps(latent=10) if step.shape[1:] == (28, 28)
    ]
    hidden = (1536 + 2 * 10) // 2
    assert tail[1:] == [1536, hidden, 20, 10, 20, hidden, 1536, 1]


def test_the_others_end_in_a_vector_and_in_patches():
    assert [step.shape for step in shapes.pooled_steps()[-2:]] == [(1536,), (1,)]
    assert [step.shape for step in shapes.patch_steps()[-2:]] == [(784, 1536), (1, 28, 28)]


def test_weights_are_counted_without_being_made():
    expected = sum(each.numel() for each in FeatCAE(64, 8).parameters())
    assert shapes.weights_of(FeatCAE, 64, 8) == f"{expected:,}"

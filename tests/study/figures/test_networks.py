import pytest
import torch
from torch import nn

from study.figures import networks as diagrams

pytestmark = pytest.mark.usefixtures("no_open_figures")


def test_shapes_are_those_of_the_layers():
    network = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.Flatten(), nn.Linear(5 * 3 * 3, 2))
    seen = diagrams.shapes_through(network, torch.zeros(1, 3, 8, 8))
    assert seen == [("Conv2d", (5, 3, 3)), ("Flatten", (45,)), ("Linear", (2,))]
    assert not any(module._forward_hooks for module in network.modules())


def test_the_autoencoder_squeezes_an_image_and_draws_it_again():
    steps = diagrams.autoencoder_steps(128, 64)
    assert steps[0].shape == steps[-2].shape == (3, 128, 128)
    (code,) = [step for step in steps if step.name == "code"]
    assert code.size == min(step.size for step in steps) == 64


def test_featcae_narrows_as_the_report_says(extractor):
    steps = diagrams.combined_steps(extractor, latent=10)
    channels, hidden = 128, (128 + 2 * 10) // 2
    tail = [step.shape[0] for step in steps if step.shape[1:] == (8, 8)][1:]
    assert tail == [channels, hidden, 20, 10, 20, hidden, channels, 1]
    assert [step.name for step in steps].count("code") == 1


def test_the_other_arms_end_in_a_vector_and_in_patches(extractor):
    assert [step.shape for step in diagrams.pooled_steps(extractor)[-2:]] == [(128,), (1,)]
    assert [step.shape for step in diagrams.patch_steps(extractor)[-2:]] == [(64, 128), (1, 8, 8)]


def test_the_reports_extractor_has_its_channels():
    found = diagrams.feature_steps(diagrams.original_extractor())[0]
    shapes = {step.name: step.shape for step in found}
    assert shapes["layer2"] == (512, 28, 28) and shapes["layer3"] == (1024, 14, 14)
    assert shapes["pooled, aligned, stacked"] == (1536, 28, 28)


def test_a_flow_shows_every_station_and_ends_in_one_score(extractor):
    steps = diagrams.patch_steps(extractor)
    (axes,) = diagrams.flow("patchcore", steps).axes
    said = [text.get_text() for text in axes.texts]
    assert said[0::2] == [step.name for step in steps] + ["score: mean of the ten highest"]
    assert said[1] == "3 × 64 × 64" and said[-1] == "1"
    widths = [patch.get_width() for patch in axes.patches if hasattr(patch, "get_width")]
    sizes = [step.size for step in steps] + [1]
    order = sorted(range(len(sizes)), key=lambda at: (sizes[at], at))
    assert order == sorted(range(len(sizes)), key=lambda at: (round(widths[at], 9), at))

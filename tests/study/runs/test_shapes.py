from torch import nn

from anomalylib.detectors.networks import FeatCAE
from study.names import MODELS
from study.runs import shapes


def test_shapes_are_those_of_the_layers():
    network = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.Flatten(), nn.Linear(5 * 3 * 3, 2))
    seen = shapes.shapes_through(network.to("meta"), 3, 8, 8)
    assert seen == [("Conv2d", (5, 3, 3)), ("Flatten", (45,)), ("Linear", (2,))]


def test_every_model_goes_from_an_image_through_the_reports_features_or_a_code():
    made = {
        model: [step.shape for step in steps] for model, steps in shapes.stations(latent=10).items()
    }
    assert list(made) == list(MODELS)
    assert made["autoencoder"] == [(3, 128, 128), (64,), (3, 128, 128), (128, 128)]
    features = [(3, 224, 224), (1536, 28, 28)]
    assert made["resnet"] == [*features, (1536,), (1,)]
    assert made["combined"] == [*features, (10, 28, 28), (1536, 28, 28), (28, 28)]
    assert made["patchcore"] == [*features, (784, 1536), (784,), (28, 28)]


def test_weights_are_counted_without_being_made():
    expected = sum(each.numel() for each in FeatCAE(64, 8).parameters())
    assert shapes.weights_of(FeatCAE, 64, 8) == f"{expected:,}"

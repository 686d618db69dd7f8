import numpy as np
import pytest
import torch

from anomalylib.deploy.graphs import graph_of, resized, solved_for_ones
from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.combined_plus import CombinedPlus
from anomalylib.detectors.pooled import Pooled
from anomalylib.errors import UserError
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.images.category import resize
from study.names import ARMS
from study.trials.alternatives import WhitenedDetector
from tests.anomalylib.detectors.test_base import NORMAL, every_arm, spoiled

SIZES = [(64, 64), (40, 31), (64, 129), (301, 200), (1, 700), (100, 75), (700, 30), (136, 100)]
RANDOM = np.random.default_rng(5)
NEW = [RANDOM.integers(0, 256, (71, 90, 3), dtype=np.uint8), spoiled(NORMAL[1])]


def judged(graph, image):
    with torch.inference_mode():
        score, maps = graph(torch.from_numpy(image[None]))
    return score.numpy(), maps.numpy()


@pytest.mark.parametrize("height, width", SIZES)
def test_the_resize_is_that_of_the_library_bit_for_bit(height, width):
    noise = RANDOM.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    edges = 255 * RANDOM.integers(0, 2, (1, height, width, 3), dtype=np.uint8)
    images = np.concatenate([noise, edges])
    found = resized(torch.from_numpy(images), 64)
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), np.stack([resize(image, 64) for image in images]))


@pytest.mark.parametrize("count", [1, 2, 10, 25])
def test_elimination_against_numpy(count):
    edges = RANDOM.normal(size=(30, count, 12)) * 10.0 ** RANDOM.uniform(-2, 2, (30, 1, 1))
    gram = edges @ edges.swapaxes(1, 2)
    gram += 0.1 * np.trace(gram, axis1=1, axis2=2)[:, None, None] / count * np.eye(count)
    expected = np.linalg.solve(gram, np.ones((30, count, 1)))
    found = solved_for_ones(torch.from_numpy(gram).float()).numpy()
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected, axis=1) == pytest.approx(
        0, abs=1e-5 * np.linalg.norm(expected, axis=1).max()
    )
    assert np.abs(gram @ found - 1).max() < 1e-4


def test_a_graph_judges_as_its_detector(extractor):
    plus = CombinedPlus(extractor, bank=60, dimensions=8)
    names = []
    for detector in [*every_arm(extractor), plus]:
        graph = graph_of(detector.fit(NORMAL))
        names.append(graph.arm)
        for image in NEW:
            score, maps = judged(graph, image)
            assert maps == pytest.approx(detector.anomaly_maps([image]), rel=1e-4, abs=1e-4)
            assert score == pytest.approx(detector.score_samples([image]), rel=1e-5)
    assert sorted(names) == sorted(ARMS)


def test_a_graph_follows_its_detectors_settings(extractor):
    for detector in (
        Combined(extractor, epochs=1, latent=4, scale=False, batch_norm=False, top_k=1),
        CombinedPlus(extractor, bank=4, dimensions=8, neighbours=9, ridge=2, top_k=999),
        Autoencoder(epochs=1, image_size=64, code=3, top_k=3),
    ):
        graph = graph_of(detector.fit(NORMAL))
        score, maps = judged(graph, NEW[0])
        assert maps == pytest.approx(detector.anomaly_maps(NEW[:1]), rel=1e-4, abs=1e-5)
        assert score == pytest.approx(detector.score_samples(NEW[:1]), rel=1e-5)


def test_what_has_no_graph_is_refused(extractor):
    with pytest.raises(UserError, match="Pooled has not learned yet: call its fit"):
        graph_of(Pooled(extractor))
    with pytest.raises(UserError, match="WhitenedDetector has no graph"):
        graph_of(WhitenedDetector(extractor))
    half = FeatureExtractor(extractor.backbone, image_size=64, precision="bfloat16")
    with pytest.raises(UserError, match="bfloat16 has no graph: fit with precision='float32'"):
        graph_of(Pooled(half).fit(NORMAL))

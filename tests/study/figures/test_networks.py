from study.figures import networks
from study.names import MODELS, label
from study.runs.shapes import stations


def test_every_model_has_its_stations_with_their_shapes():
    made = stations()
    (axes,) = networks.pipelines(made).axes
    texts = [text.get_text() for text in axes.texts]
    assert [text for text in texts if text in map(label, MODELS)] == list(map(label, MODELS))
    for steps in made.values():
        for name, shape in steps:
            assert name in texts and " × ".join(f"{side:,}" for side in shape) in texts
    boxes = sum(map(len, made.values()))
    assert len(axes.patches) == 2 * boxes - len(made)  # an arrow between each two

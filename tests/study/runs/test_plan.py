from collections import Counter
from types import SimpleNamespace

import pytest

from anomalylib.errors import UserError
from anomalylib.features.weights import LITE0
from study.names import MODELS
from study.runs.experiment import Experiment
from study.runs.plan import plan

PAIR, SINGLE = SimpleNamespace(layers=("a", "b")), SimpleNamespace(layers=("a",))
EXPERIMENT = Experiment("", {"first": PAIR, "second": SINGLE, LITE0: PAIR})


def seeds(runs, **which):
    """How many seeds each model has among the runs of a kind."""
    return Counter(
        run.model for run in runs if all(getattr(run, key) == value for key, value in which.items())
    )


def test_every_run_is_planned_once():
    runs = plan(EXPERIMENT, ["screw", "pill"])
    assert len({run.name for run in runs}) == len(runs)
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)


def test_the_first_backbone_has_all_models_and_the_others_what_compares_them():
    runs = plan(EXPERIMENT, ["screw", "pill"])
    on_features = set(MODELS) - {"autoencoder"}
    for category, most in (("screw", 5), ("pill", 3)):
        own = {"category": category}
        first = seeds(runs, backbone="first", variant="plain", **own)
        assert first == dict.fromkeys(on_features, most)
        assert seeds(runs, backbone="", variant="plain", **own) == {"autoencoder": most}
        assert seeds(runs, backbone="first", variant="384 pixels", **own) == {"patchcore": most}
        second = seeds(runs, backbone="second", variant="plain", **own)
        assert second == dict.fromkeys(on_features, 3)
        assert seeds(runs, backbone=LITE0, **own) == {"resnet": 1, "combined": 1, "patchcore": 1}
        for layer in ("a", "b"):
            assert seeds(runs, variant=layer, **own) == {"combined": 1, "patchcore": 1}
        assert seeds(runs, variant="brightness-normalised", **own) == dict.fromkeys(MODELS, 3)
        assert seeds(runs, variant="held-out", **own) == dict.fromkeys(MODELS, 1)
        assert seeds(runs, variant="untrained", **own) == dict.fromkeys(on_features, 1)


def test_a_single_layer_is_not_taken_apart():
    runs = plan(Experiment("", {"only": SINGLE}), ["pill"])
    assert {run.backbone for run in runs} == {"", "only"}
    assert "a" not in {run.variant for run in runs}


def test_a_part_is_taken_by_models_seeds_and_variants():
    runs = plan(EXPERIMENT, ["pill"], models=["combined"], seeds=1, variants=["plain"])
    assert [(run.backbone, run.seed) for run in runs] == [("first", 0), ("second", 0), (LITE0, 0)]
    assert len(plan(EXPERIMENT, ["pill"], seeds=2)) < len(plan(EXPERIMENT, ["pill"]))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"variants": ["grey"]}, "VARIANTS: no variant 'grey' is measured; known: plain, 384"),
        ({"models": ["resnet"], "variants": ["a"]}, "VARIANTS: no variant 'a' is measured"),
        ({"models": ["fastflow"]}, "MODELS: no model 'fastflow' is measured; known: autoenc"),
    ],
)
def test_what_is_not_measured_is_refused(part, message):
    with pytest.raises(UserError, match=message):
        plan(EXPERIMENT, ["pill"], **part)

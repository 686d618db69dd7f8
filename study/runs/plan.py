"""Which runs the reference results are made of: models, backbones, variants and seeds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from anomalylib.errors import UserError
from anomalylib.features.weights import LITE0
from study.names import LARGER, LARGER_HELD_OUT, LARGER_SIZE, MODELS, NORMALISED, REPORTED
from study.runs.experiment import Experiment
from study.runs.measurement import HELD_OUT, PLAIN, UNTRAINED, Run

WITHOUT_BACKBONE = "autoencoder"
MORE_SEEDS = 5  # on the parts that the report is about


class Share(NamedTuple):
    """What is measured alike on every category."""

    variant: str
    models: tuple[str, ...]
    seeds: int
    more: bool = False  # whether the report's parts have `MORE_SEEDS`
    changes: tuple[tuple[str, Any], ...] = ()  # settings that differ from the defaults


def plan(
    experiment: Experiment,
    categories: Sequence[str],
    *,
    models: Sequence[str] = (),
    seeds: int | None = None,
    variants: Sequence[str] = (),
) -> list[Run]:
    """The runs, or a part of them: seed by seed, so that a first look is there early."""
    runs = []
    for seed in range(MORE_SEEDS if seeds is None else seeds):
        for name, share in _shares(experiment):
            for category in categories:
                most = MORE_SEEDS if share.more and category in REPORTED else share.seeds
                for model in share.models if seed < most else ():
                    which = {"category": category, "variant": share.variant, "seed": seed}
                    which["backbone"] = "" if model == WITHOUT_BACKBONE else name
                    runs.append(Run(model=model, changes=dict(share.changes), **which))
    for what, asked in (("model", models), ("variant", variants)):
        known = dict.fromkeys(getattr(run, what) for run in runs)
        if unknown := [each for each in asked if each not in known]:
            there = ", ".join(known)
            raise UserError(
                f"{what.upper()}S: no {what} {unknown[0]!r} is measured; known: {there}"
            )
        runs = [run for run in runs if not asked or getattr(run, what) in asked]
    return runs


def _shares(experiment: Experiment) -> list[tuple[str, Share]]:
    """Every share with the name of its backbone, those of the first backbone first."""
    on_features = tuple(model for model in MODELS if model != WITHOUT_BACKBONE)
    larger = (("image_size", LARGER_SIZE),)
    usual = [Share(PLAIN, on_features, 3), Share(LARGER, ("patchcore",), 3, changes=larger)]
    first, *others = experiment.backbones
    layers = experiment.backbones[first].layers
    of_first = [
        Share(PLAIN, (WITHOUT_BACKBONE,), 3, more=True),
        *[share._replace(more=True) for share in usual],
        *[
            Share(layer, ("combined", "patchcore"), 1, changes=(("layers", layer),))
            for layer in layers
            if len(layers) > 1
        ],
        Share(NORMALISED, MODELS, 3),
        Share(HELD_OUT, MODELS, 1),
        Share(LARGER_HELD_OUT, ("patchcore",), 1, changes=larger),
        Share(UNTRAINED, on_features, 1),
    ]
    few = [Share(PLAIN, ("resnet", "combined", "patchcore"), 1)]
    of_others = [(name, share) for name in others for share in (few if name == LITE0 else usual)]
    return [*((first, share) for share in of_first), *of_others]

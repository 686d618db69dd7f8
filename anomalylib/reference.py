"""The reference results of the study: which runs, and the tables made of them."""

from anomalylib.measurement import GREY, HELD_OUT, PLAIN, UNTRAINED, Run

SEEDS = range(5)
CONTROL_SEEDS = range(3)
FEATURE_ARMS = ("resnet", "combined", "patchcore")


def reference_runs(categories: list[str], backbones: list[str]) -> list[Run]:
    """All runs, seed by seed, so that a first look is there early.

    Parameters
    ----------
    categories : list of str
    backbones : list of str
        Names; the controls are made with the first.
    """
    runs = []
    for seed in SEEDS:
        controls = (GREY, HELD_OUT, UNTRAINED) if seed in CONTROL_SEEDS else ()
        for category in categories:
            for variant in (PLAIN, *controls):
                own = {"category": category, "variant": variant, "seed": seed}
                if variant != UNTRAINED:
                    runs.append(Run(arm="autoencoder", **own))
                for backbone in backbones if variant == PLAIN else backbones[:1]:
                    runs += [Run(arm=arm, backbone=backbone, **own) for arm in FEATURE_ARMS]
    return runs

"""The names of models, parts and claims, and how a page has them."""

import unicodedata

from anomalylib.detectors.registry import DETECTORS

MODELS = tuple(DETECTORS)
"""The models that can be run."""
MEASURED = (*MODELS, "knn_reconstruction")
"""The models of the reference results. The last has left the code since: see `book/methods.md`."""
REPORTED = ("metal_nut", "screw")
"""The categories that the report is about, and of the synthetic parts."""
MAIN = "resnet50-he"
"""The backbone of the text: ResNet-50 as He et al. published it, layer2 and layer3."""
LARGER = "384 pixels"
"""The variant of patchcore with larger images, those of knn_reconstruction."""
LARGER_SIZE = 384
KINDS = (*((model, "plain") for model in MODELS), ("patchcore", LARGER))
"""Every model that can be run with its variant, patchcore also with larger images."""
NORMALISED = "brightness-normalised"
"""The variant with every image rescaled to one mean grey."""
LARGER_HELD_OUT = "384 pixels held-out"
"""The same, fitted without a fifth of the training images."""
CONTROL = "mean grey"
"""The row of a table that says what brightness alone would score."""
CLAIMS = {"autoencoder": 0.33, "combined": 0.99}
"""Image-level AUROC that the original report claims, without naming a category."""


LABELS = {
    "resnet": "ResNet features",
    "combined": "ResNet + FeatCAE",
    "patchcore": "PatchCore",
    "knn_reconstruction": "kNN reconstruction",
    CONTROL: "brightness",
}
"""What a page calls a model or the control, where that is not its name."""


def plain(name: str) -> str:
    """The name of a category or a defect type as a page has it; the type ``good`` is normal."""
    return "normal" if name == "good" else name.replace("_", " ")


def label(model: str) -> str:
    """The name of a model or a control as a page has it; what comes after a comma stays."""
    name, comma, rest = model.partition(",")
    return f"{LABELS.get(name, name)}{comma}{rest}"


def name_of(model: str, variant: str) -> str:
    """What a page calls a model with its variant, where that is not the plain one."""
    return label(model) if variant == "plain" else f"{label(model)}, {variant}"


def alike(name: str) -> str:
    """What a name has in common with those that a page or a file system takes for the same."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
    return plain(folded).replace("-", " ")

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
CONTROL = "mean grey"
"""The row of a table that says what brightness alone would score."""
CLAIMS = {"autoencoder": 0.33, "combined": 0.99}
"""Image-level AUROC that the original report claims, without naming a category."""


def plain(name: str) -> str:
    """The name of a model, a category or a defect type as a page has it."""
    return name.replace("_", " ").replace("knn reconstruction", "kNN reconstruction")


def alike(name: str) -> str:
    """What a name has in common with those that a page or a file system takes for the same."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
    return plain(folded).replace("-", " ")

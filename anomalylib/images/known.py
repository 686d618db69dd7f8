"""Which images are those of MVTec AD: known by their files, not by the name of a folder."""

from collections.abc import Sequence

MVTEC_AD = "MVTec AD"
CATEGORIES = {
    "bottle": (209, 20, 63),
    "cable": (224, 58, 92),
    "capsule": (219, 23, 109),
    "carpet": (280, 28, 89),
    "grid": (264, 21, 57),
    "hazelnut": (391, 40, 70),
    "leather": (245, 32, 92),
    "metal_nut": (220, 22, 93),
    "pill": (267, 26, 141),
    "screw": (320, 41, 119),
    "tile": (230, 33, 84),
    "toothbrush": (60, 12, 30),
    "transistor": (213, 60, 40),
    "wood": (247, 19, 60),
    "zipper": (240, 32, 119),
}
"""Images to learn from, normal and anomalous ones to test with.

References
----------
Bergmann et al., "MVTec AD: A Comprehensive Real-World Dataset for Unsupervised
Anomaly Detection", CVPR 2019, table 1.
"""


def is_mvtec_ad(category: str, names: Sequence[str], defect_types: Sequence[str]) -> bool:
    """Whether a category has the names and the counts of one of MVTec AD.

    Its images may have been made smaller.

    Parameters
    ----------
    category : str
        Its name.
    names : sequence of str
        The paths inside it of the images to learn from, sorted.
    defect_types : sequence of str
        Of its test images, ``good`` for a normal one.
    """
    normal = list(defect_types).count("good")
    counts = len(names), normal, len(defect_types) - normal
    numbered = [f"train/good/{number:03d}.png" for number in range(len(names))]
    return CATEGORIES.get(category) == counts and list(names) == numbered

"""Visual anomaly detection on industrial parts: a small library.

Images become features, features are reconstructed, the reconstruction error
becomes an anomaly map, the map a score and the score a decision. The names
below are all that a user needs; each is loaded when it is first used, since
PyTorch takes seconds to import.
"""

import importlib

from anomalylib.detectors.registry import DETECTORS

__version__ = "0.1.0"

HOMES = {
    "UserError": "anomalylib.errors",
    "load_category": "anomalylib.images.category",
    "list_categories": "anomalylib.images.folders",
    "read_image": "anomalylib.images.reading",
    "resolve_backbone": "anomalylib.features.weights",
    "FeatureExtractor": "anomalylib.features.extractor",
    "DETECTORS": "anomalylib.detectors.registry",
    "FeatCAE": "anomalylib.detectors.networks",
    "ImageAutoencoder": "anomalylib.detectors.networks",
    "MeanPlusSigma": "anomalylib.detectors.thresholds",
    "Quantile": "anomalylib.detectors.thresholds",
    "Conformal": "anomalylib.detectors.thresholds",
    "Given": "anomalylib.detectors.thresholds",
    "auroc": "anomalylib.metrics.image",
    "pixel_auroc": "anomalylib.metrics.pixel",
    "au_pro": "anomalylib.metrics.pixel",
    "load": "anomalylib.deploy.saving",
    "save": "anomalylib.deploy.saving",
    "inspect": "anomalylib.deploy.inspect",
    "to_onnx": "anomalylib.deploy.onnx",
}
HOMES |= {place.partition(":")[2]: DETECTORS.module(key) for key, place in DETECTORS.places.items()}
"""The public names, and the module that each stands in."""

__all__ = sorted(HOMES)


def __getattr__(name: str):
    """Load a public name on its first use."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})

"""Visual anomaly detection on industrial parts: the library behind the book.

Images become features, features are reconstructed, the reconstruction error
becomes an anomaly map, the map a score and the score a decision. Each step is
one module; ``book/methods.md`` says which.
"""

__version__ = "0.1.0"


def load(path, weights: str = ""):
    """Read a fitted detector; see `anomalylib.saved.load`."""
    from anomalylib.saved import load  # torch takes seconds to import

    return load(path, weights)

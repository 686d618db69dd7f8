"""The detectors by name: the one list of them."""

import pkgutil
from collections.abc import Iterator, Mapping


class Registry(Mapping):
    """Classes by name, each imported when it is first asked for from its ``module:Class``."""

    def __init__(self, places: Mapping[str, str]):
        self.places = {name: f"{__package__}.{place}" for name, place in places.items()}

    def __getitem__(self, name: str) -> type:
        return pkgutil.resolve_name(self.places[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def module(self, name: str) -> str:
        """The module of a detector, by its dotted name; nothing is imported."""
        return self.places[name].partition(":")[0]

    def name_of(self, kind: type) -> str | None:
        """What a class is called here, or None."""
        names = {place: name for name, place in self.places.items()}
        return names.get(f"{kind.__module__}:{kind.__qualname__}")


DETECTORS = Registry(
    {
        "autoencoder": "autoencoder:Autoencoder",
        "resnet": "pooled:Pooled",
        "combined": "combined:Combined",
        "patchcore": "patchcore:PatchCore",
    }
)

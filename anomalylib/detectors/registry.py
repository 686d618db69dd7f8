"""The detectors by name: the one list of them."""

import importlib
from collections.abc import Iterator, Mapping


class Registry(Mapping):
    """Classes by name, each imported when it is first asked for.

    Parameters
    ----------
    places : mapping of str to str
        Name to ``module.Class`` in this room.
    """

    def __init__(self, places: Mapping[str, str]):
        self._modules = {name: place.partition(".")[0] for name, place in places.items()}
        self.class_names = {name: place.partition(".")[2] for name, place in places.items()}

    def __getitem__(self, name: str) -> type:
        return getattr(importlib.import_module(self.module(name)), self.class_names[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def module(self, name: str) -> str:
        """The module of a detector, by its dotted name; nothing is imported."""
        return f"{__package__}.{self._modules[name]}"

    def name_of(self, kind: type) -> str | None:
        """What a class is called here, or None."""
        place = (kind.__module__, kind.__qualname__)
        known = {(self.module(name), self.class_names[name]): name for name in self}
        return known.get(place)


DETECTORS = Registry(
    {
        "autoencoder": "autoencoder.Autoencoder",
        "resnet": "pooled.Pooled",
        "combined": "combined.Combined",
        "patchcore": "patchcore.PatchCore",
        "combined_plus": "combined_plus.CombinedPlus",
    }
)

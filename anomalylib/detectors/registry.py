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
        self._places = dict(places)

    def __getitem__(self, name: str) -> type:
        return getattr(importlib.import_module(self.module(name)), self._class(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def module(self, name: str) -> str:
        """The module of a detector, by its dotted name; nothing is imported."""
        return f"{__package__}.{self._places[name].partition('.')[0]}"

    def name_of(self, kind: type) -> str | None:
        """What a class is called here, or None."""
        places = {f"{self.module(name)}.{self._class(name)}": name for name in self._places}
        return places.get(f"{kind.__module__}.{kind.__qualname__}")

    def _class(self, name: str) -> str:
        return self._places[name].partition(".")[2]


DETECTORS = Registry(
    {
        "autoencoder": "autoencoder.Autoencoder",
        "resnet": "pooled.Pooled",
        "combined": "combined.Combined",
        "patchcore": "patchcore.PatchCore",
        "combined_plus": "combined_plus.CombinedPlus",
    }
)

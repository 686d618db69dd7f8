"""One study from its options: which data, which backbone, where it is built."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalylib.errors import UserError
from anomalylib.features.weights import Backbone, resolve_backbone
from anomalylib.files import written_whole
from anomalylib.images.category import dataset_name, load_category
from study.book.notebooks import Task, plan, split_parameters
from study.checkout import ROOT, from_root
from study.parts.synthetic import QUICK_COUNTS, QUICK_FOLDER, ensure_synthetic
from study.settings import SETTINGS, make_settings

BUILD = ROOT / "build"
CHOICE = BUILD / "auto-backbone.json"
OWN_OPTIONS = {
    "categories": "CATEGORIES",
    "category": "CATEGORIES",
    "data_root": "DATA_ROOT",
    "backbone": "BACKBONE",
    "weights": "WEIGHTS",
    "layers": "LAYERS",
    "seed": "SEED",
    "threads": "JOBS",
    "results_dir": "the study itself",
    "chosen": "the study itself",
}
"""Parameters that hold for a whole study, and what sets them."""
QUICK = {"autoencoder.epochs": 4, "combined.epochs": 2}
QUICK |= {"learning_curve.sizes": "10,20", "learning_curve.repeats": 2}
"""Parameters of the quick profile, for a look and for continuous integration."""


@dataclass(frozen=True)
class Study:
    """What `open_study` found.

    Parameters
    ----------
    folder : Path
        Where it is built: one folder for each data set, backbone and profile.
    stages : list of list of Task
        The notebooks, see `study.book.notebooks.plan`.
    backbone : Backbone
    dataset : str
    synthetic : bool
    quick : bool
    categories : tuple of str
    seed : int
    options : tuple of str
        What was asked for besides the categories, as ``make`` takes it.
    """

    folder: Path
    stages: list[list[Task]]
    backbone: Backbone
    dataset: str
    synthetic: bool
    quick: bool
    categories: tuple[str, ...]
    seed: int
    options: tuple[str, ...] = ()

    @property
    def banner(self) -> str:
        """What every page says at its top."""
        data = "Synthetic drawings, not photographs" if self.synthetic else self.dataset
        profile = " · quick profile: too short to judge by" if self.quick else ""
        build = f"{data} · backbone {self.backbone} · seed {self.seed}{profile}"
        return f"This build: {build}. Evidence: reference results on real parts"


def open_study(
    *,
    categories: list[str],
    data_root: str = "",
    backbone: str = "auto",
    weights: str = "",
    layers: str = "",
    seed: int | str = 0,
    quick: bool = False,
    threads: int = 0,
    jobs: str = "",
    parameters: dict[str, Any] | None = None,
) -> Study:
    """Find the data and the backbone, and plan the notebooks.

    Parameters
    ----------
    categories : list of str
    data_root : str
        Folder of the categories; empty to draw synthetic parts.
    backbone, weights, layers : str
        See `resolve_backbone`. What ``auto`` has chosen once is kept in the
        build folder and used until that is cleaned.
    seed : int
        Of every random choice.
    quick : bool
        Few drawings and few epochs.
    threads : int
        CPU threads of each notebook.
    jobs : str
        What was asked for as the number of notebooks at a time, to be said on
        the pages: it decides about the threads.
    parameters : dict
        Any other parameters of the notebooks, by name.

    Returns
    -------
    Study

    Raises
    ------
    UserError
        If anything asked for is not there or out of range.
    """
    parameters = parameters or {}
    for name in parameters:
        if by := OWN_OPTIONS.get(name.split(".")[-1]):
            raise UserError(f"{name} holds for the whole study: {by} sets it, not PARAMS")
    seed = make_settings("summary", {"seed": seed}).seed
    given = split_parameters((QUICK if quick else {}) | parameters)
    if data_root:
        root = Path(data_root)
    elif quick:
        root = ensure_synthetic(QUICK_FOLDER, QUICK_COUNTS)
    else:
        root = ensure_synthetic()
    load_category(root, categories[0])  # complain about the data before the backbone
    found = _backbone(backbone, weights, layers)
    dataset, synthetic = dataset_name(root)
    folder = BUILD / _slug(dataset, found, quick)
    feature = {
        "backbone": found.name,
        "weights": from_root(Path(weights)) if weights else "",
        "layers": ",".join(found.layers),
        "chosen": found.chosen,
    }
    shared = {"seed": seed, "data_root": from_root(root), "threads": threads} | feature
    for notebook, own in given.items():
        known = SETTINGS[notebook].model_fields
        own |= {name: value for name, value in shared.items() if name in known}
    stages = plan(folder, categories, root, found.sha256, given)
    words = " ".join(f"{name}={value}" for name, value in parameters.items())
    asked = {
        "DATA_ROOT": data_root,
        "BACKBONE": backbone if backbone != "auto" else "",
        "WEIGHTS": weights,
        "LAYERS": layers,
        "SEED": str(seed) if seed else "",
        "PROFILE": "quick" if quick else "",
        "JOBS": jobs,
        "PARAMS": words,
    }
    options = tuple(f"{name}={shlex.quote(value)}" for name, value in asked.items() if value)
    return Study(folder, stages, found, dataset, synthetic, quick, tuple(categories), seed, options)


def _backbone(name: str, weights: str, layers: str) -> Backbone:
    """Resolve the backbone; `auto` chooses once per build folder."""
    if name != "auto" or weights:
        return resolve_backbone(name, weights, layers)
    if CHOICE.is_file():
        try:
            kept = json.loads(CHOICE.read_text())
            name, chosen = kept["name"], kept["chosen"]
        except (ValueError, LookupError, TypeError):
            raise UserError(f"{CHOICE} is damaged: delete it and run again") from None
        return resolve_backbone(name, "", layers, chosen)
    found = resolve_backbone(name, weights, layers)
    with written_whole(CHOICE) as beside:
        beside.write_text(json.dumps({"name": found.name, "chosen": found.chosen}))
    return found


def check_weights(backbone: Backbone) -> None:
    """Load the backbone once, so that a wrong file stops the study at its start.

    Raises
    ------
    UserError
        If the file lacks tensors of a layer or holds no weights.
    """
    from anomalylib.features.extractor import FeatureExtractor  # torch takes seconds to import

    FeatureExtractor(backbone)


def _slug(dataset: str, backbone: Backbone, quick: bool) -> str:
    """A folder name for one data set, backbone and profile."""
    parts = [dataset, backbone.name, *backbone.layers, backbone.sha256[:6]]
    words = " ".join(parts + (["quick"] if quick else []))
    return re.sub(r"[^\w.]+", "-", words.lower()).strip("-")


def parse_parameters(words: list[str]) -> dict[str, Any]:
    """Read ``name=value`` words; values are YAML, as papermill reads them."""
    import yaml

    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"{word!r} is not name=value")
        try:
            pairs[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"cannot read the value of {word!r}") from None
    return pairs

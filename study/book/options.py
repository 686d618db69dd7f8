"""One study from what was asked for: which data, which backbone, where it is built."""

import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from anomalylib.errors import UserError
from anomalylib.features.weights import Backbone, resolve_backbone
from anomalylib.files import written_whole
from anomalylib.images.category import Category, load_category
from study.book.notebooks import Task, key_of, plan, split_parameters
from study.checkout import ROOT, from_root
from study.names import MODELS, REPORTED, alike
from study.parts.synthetic import QUICK_COUNTS, QUICK_FOLDER, ensure_synthetic
from study.settings import settings_of, typed

BUILD = ROOT / "build"
QUICK = {"autoencoder.epochs": 4, "combined.epochs": 2}
QUICK |= {"learning_curve.sizes": "10,20", "learning_curve.repeats": 2}
"""Parameters of the quick profile, for a look and for continuous integration."""


class Options(BaseModel):
    """What ``make`` and the command line take: each is a setting in capitals there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    categories: tuple[str, ...] = Field(REPORTED, description="names, spaced")
    data_root: str = Field("", description="folder of categories; empty: synthetic parts")
    backbone: str = Field("auto", description="auto or a backbone's name")
    weights: str = Field("", description="weights file; to measure, files, spaced, as name=path")
    layers: str = Field("", description="names, with commas")
    seed: int = Field(0, ge=0, lt=2**31, description="of every random choice")
    profile: Literal["full", "quick"] = Field("full", description="full or quick")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 or mps; to measure, cpu")
    jobs: int | None = Field(None, ge=1, le=4096, description="notebooks or runs at a time")
    scheduler: str = Field("", description="address of a Dask cluster")
    params: dict[str, Any] = Field({}, description="more parameters, as name=value, spaced")
    output: str = Field("", description="folder of the tables that are measured")
    models: tuple[Literal[MODELS], ...] = Field((), description="to measure only these, spaced")
    seeds: int | None = Field(None, ge=1, le=100, description="to measure only so many")
    variants: tuple[str, ...] = Field((), description="to measure only these, with commas")

    @field_validator("categories", mode="before")
    @classmethod
    def _names(cls, given: Any) -> Any:
        names = given.replace(",", " ").split() if isinstance(given, str) else given
        if not names:
            raise UserError("no category: give CATEGORIES one name or more")
        seen: dict[str, str] = {}
        for name in names:
            if (first := seen.setdefault(alike(name), name)) != name:
                twins = f"{first!r} and {name!r} are one name to pages or to a file system"
                raise UserError(f"CATEGORIES: {twins}: rename one of the folders")
        return tuple(seen.values())

    @field_validator("models", "variants", mode="before")
    @classmethod
    def _words(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, str):
            return given
        words = given.replace(",", " ").split() if info.field_name == "models" else given.split(",")
        return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))

    @field_validator("params", mode="before")
    @classmethod
    def _pairs(cls, given: Any) -> Any:
        pairs = parse_parameters(given.split()) if isinstance(given, str) else given
        for name in pairs:
            field = name.split(".")[-1]
            held = f"{name} holds for the whole study"
            if field in ("results_dir", "chosen", "category", "threads"):
                raise UserError(f"{held}: it is no parameter of PARAMS")
            if field in cls.model_fields:
                raise UserError(f"{held}: {field.upper()} sets it, not PARAMS")
        return pairs

    @classmethod
    def read(cls, given: dict[str, Any]) -> "Options":
        """Check what was given; an empty text is nothing."""
        given = {name: value for name, value in given.items() if value not in ("", None)}
        for name in given.keys() & {"seed", "jobs", "seeds"}:
            given[name] = typed(name.upper(), int, given[name])
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors()[0]
            name, reason = str(first["loc"][0]).upper(), first["msg"]
            raise UserError(f"{name}={first['input']!r}: {reason[0].lower()}{reason[1:]}") from None


@dataclass(frozen=True)
class Study:
    """What `open_study` has opened."""

    options: Options
    folder: Path  # where it is built: one for each name of data, backbone and profile
    categories: dict[str, Category]  # by name, in the order asked for
    stages: list[list[Task]]  # the notebooks, see `plan`
    backbone: Backbone
    dataset: str
    synthetic: bool

    @property
    def tasks(self) -> list[Task]:
        """All notebooks, stage after stage."""
        return [task for stage in self.stages for task in stage]

    @property
    def book(self) -> Path:
        """Folder of the rendered book: one for the images of the categories asked for."""
        return self.folder / f"book-{key_of(self.categories.values())}"

    @property
    def asked(self) -> tuple[str, ...]:
        """What was asked for besides the categories and is not as usual, as ``make`` takes it."""
        names = ("data_root", "backbone", "weights", "layers", "seed", "profile", "device", "jobs")
        texts = {name: getattr(self.options, name) for name in names}
        params = self.options.params.items()
        texts["params"] = " ".join(f"{name}={value}" for name, value in params)
        return tuple(
            f"{name.upper()}={shlex.quote(str(text))}"
            for name, text in texts.items()
            if text not in (Options.model_fields[name].default, "")
        )

    @property
    def made_of(self) -> str:
        """What the numbers of a page of this build are made of."""
        data = "synthetic images, no photographs" if self.synthetic else self.dataset
        quick = self.options.profile == "quick"
        profile = " Quick profile: too short to compare models by." if quick else ""
        return (
            f"Numbers on this page: {data}. Backbone: {self.backbone}. "
            f"Seed: {self.options.seed}.{profile}"
        )


def open_study(options: Options, threads: int = 0, with_chapters: bool = True) -> Study:
    """Find the data and the backbone, and plan the notebooks, each with so many CPU threads."""
    quick = options.profile == "quick"
    given = split_parameters((QUICK if quick else {}) | options.params)
    if options.data_root:
        root = Path(options.data_root)
    else:
        root = ensure_synthetic(QUICK_FOLDER, QUICK_COUNTS) if quick else ensure_synthetic()
    categories = {name: load_category(root, name) for name in options.categories}
    backbone = _backbone(options)  # after complaints about the data
    dataset, synthetic = _dataset(root, categories.values())
    shared = {
        "seed": options.seed,
        "data_root": from_root(root),
        "threads": threads,
        "backbone": backbone.name,
        "weights": from_root(Path(options.weights)) if options.weights else "",
        "layers": ",".join(backbone.layers),
        "chosen": backbone.chosen,
        "device": options.device,
    }
    for notebook, parameters in given.items():
        known = settings_of(notebook).model_fields
        parameters |= {name: value for name, value in shared.items() if name in known}
    parts = [dataset, backbone.name, *backbone.layers, backbone.sha256[:6]]
    words = " ".join([*parts, "quick"] if quick else parts)
    folder = BUILD / re.sub(r"[^\w.]+", "-", words.lower()).strip("-")
    stages = plan(folder, [*categories.values()], backbone.sha256, given, with_chapters)
    return Study(options, folder, categories, stages, backbone, dataset, synthetic)


def _dataset(root: Path, categories: Iterable[Category]) -> tuple[str, bool]:
    """What to call some categories together, and whether they are synthetic."""
    names = {(category.dataset, category.synthetic) for category in categories}
    return names.pop() if len(names) == 1 else (root.resolve().name, False)


def _backbone(options: Options) -> Backbone:
    """Resolve the backbone; `auto` chooses once, until the build folder is cleaned."""
    name, weights, layers = options.backbone, options.weights, options.layers
    if name != "auto" or weights:
        return resolve_backbone(name, weights, layers)
    choice = BUILD / "auto-backbone.json"
    if choice.is_file():
        try:
            kept = json.loads(choice.read_text())
            name, chosen = kept["name"], kept["chosen"]
        except (ValueError, LookupError, TypeError):
            raise UserError(f"{choice} is damaged: delete it and run again") from None
        return resolve_backbone(name, "", layers, chosen)
    backbone = resolve_backbone(name, weights, layers)
    with written_whole(choice) as beside:
        beside.write_text(json.dumps({"name": backbone.name, "chosen": backbone.chosen}))
    return backbone


def check_weights(backbone: Backbone, device: str) -> None:
    """Load the backbone once, so that a wrong file or device stops the study at its start."""
    from anomalylib.features.extractor import FeatureExtractor  # torch takes seconds to import

    FeatureExtractor(backbone, device=device)


def parse_parameters(words: list[str]) -> dict[str, str]:
    """Read ``name=value`` words; a value stays the text that it is."""
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"{word!r} is not name=value")
        if pairs.setdefault(name, value) != value:
            raise UserError(f"{name} has two values, {pairs[name]} and {value}: give one")
    return pairs

"""The parameters of the study: one class per notebook, checked once."""

import difflib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomalylib.errors import UserError

EVIDENCE = {
    "landing": ("scores", "summary"),
    "problem": ("scores", "summary"),
    "models": (),
    "claims": ("scores", "summary", "thresholds"),
    "category": ("scores", "summary", "nominal", "thresholds"),
    "measured": ("scores", "summary"),
    "below_chance": ("scores", "summary", "training", "places", "error_maps", "literature"),
    "thresholds": ("scores", "summary", "nominal", "thresholds"),
    "how_many": ("learning_curve", "equal_steps"),
    "sensitivity": ("sensitivity", "summary"),
    "where_it_fails": ("scores", "summary", "places", "sensitivity", "trials", "rarity"),
    "controls": ("scores", "summary"),
    "cost": ("benchmarks.json",),
    "literature": ("literature", "summary"),
    "your_parts": (),
    "limits": ("scores", "summary", "thresholds", "sensitivity", "training"),
}
"""The chapters, and the tables of the committed reference results that each reads."""


def evidence_files(notebook: str) -> list[str]:
    """Files of the reference results that a chapter reads; none of other notebooks."""
    return [name if "." in name else f"{name}.csv" for name in EVIDENCE.get(notebook, ())]


class Settings(BaseModel):
    """What every notebook of a category needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str = Field("metal_nut", min_length=1, description="folder of one kind of part")
    seed: int = Field(0, ge=0, lt=2**31, description="seeds every random choice")
    data_root: str = Field("", description="folder of categories; empty: drawn parts")
    results_dir: str = Field("results", description="where results are written and looked for")


class ArmSettings(Settings):
    """What every arm needs to know."""

    threads: int = Field(0, ge=0, le=256, description="CPU threads; 0 leaves the choice to torch")
    top_k: int = Field(
        10, ge=1, le=4096, description="the score is the mean of the k largest map values"
    )
    sigma: float = Field(3.0, ge=0, le=100, description="the threshold is mean + sigma deviations")


class AutoencoderSettings(ArmSettings):
    """The image autoencoder."""

    autoencoder_size: int = Field(128, ge=128, le=256, multiple_of=32, description="side, pixels")
    code: int = Field(64, ge=1, le=4096, description="numbers in the bottleneck")
    epochs: int = Field(40, ge=1, le=10_000, description="passes over the training images")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="peak of the one-cycle schedule")
    batch_size: int = Field(16, ge=2, le=4096, description="images per step")


class FeatureSettings(ArmSettings):
    """What the arms on pretrained features share."""

    image_size: int = Field(224, ge=64, le=2048, multiple_of=32, description="side in pixels")
    backbone: str = Field("auto", description="auto, or a backbone by name")
    weights: str = Field("", description="weights file: .safetensors, .pth or .pt2")
    layers: str = Field("", description="comma-separated layers; empty: what the weights hold")
    chosen: str = Field("", description="who chose the backbone, where a runner resolved auto")
    pool_padding: int = Field(0, ge=0, le=1, description="padding of the 3x3 average pool")
    normalise: bool = Field(True, description="pixels as the weights were trained with")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the networks; bfloat16 is quicker where it is at home"
    )


class ResnetSettings(FeatureSettings):
    """Pooled features, distance to the nearest nominal image."""


class CombinedSettings(FeatureSettings):
    """FeatCAE on the feature maps."""

    latent: int = Field(50, ge=1, le=2048, description="latent channels of FeatCAE")
    batch_norm: bool = Field(True, description="batch norm after the hidden convolutions")
    scale: bool = Field(True, description="each channel to zero mean and unit variance")
    epochs: int = Field(4, ge=1, le=10_000, description="passes over the training images")
    learning_rate: float = Field(1e-2, gt=0, le=1, description="peak of the one-cycle schedule")
    batch_size: int = Field(512, ge=2, le=2**16, description="feature vectors per step")


class CombinedPlusSettings(FeatureSettings):
    """Every feature vector rebuilt from its normal neighbours."""

    image_size: int = Field(384, ge=64, le=2048, multiple_of=32, description="side in pixels")
    neighbours: int = Field(10, ge=1, le=100, description="normal patches that rebuild one")
    bank: int = Field(4096, ge=100, le=2**16, description="normal patches kept")
    dimensions: int = Field(256, ge=1, le=2048, description="principal axes of the features")
    ridge: float = Field(0.1, gt=0, le=100, description="what keeps the weights small")


class PatchcoreSettings(FeatureSettings):
    """Nearest neighbour of each patch in a coreset."""

    coreset: float = Field(0.01, gt=0, le=1, description="share of the patches kept")


class LearningCurveSettings(FeatureSettings):
    """One arm, fitted on few training images and on more; its other settings are the defaults."""

    arm: Literal["resnet", "combined", "patchcore", "combined_plus"] = Field(
        "combined", description="an arm on pretrained features"
    )
    sizes: str = Field(
        "10,20,50,100,200",
        pattern=r"^([2-9]|[1-9][0-9]+)(,([2-9]|[1-9][0-9]+))*$",
        coerce_numbers_to_str=True,
        description="training images, comma-separated, 2 or more; all are added",
    )
    repeats: int = Field(3, ge=1, le=100, description="random subsets a size")

    @property
    def asked(self) -> list[int]:
        """The sizes as numbers."""
        return [int(size) for size in self.sizes.split(",")]


class DataSettings(Settings):
    """A look at the images of one category before any detector."""


class AblationSettings(Settings):
    """All arms of one category side by side."""


class SummarySettings(BaseModel):
    """All categories of one run."""

    model_config = Settings.model_config

    categories: str = Field("metal_nut,screw", min_length=1, description="comma-separated")
    seed: int = Field(0, ge=0, lt=2**31, description="seed of the results to show")
    results_dir: str = Field("results", description="where results are looked for")


class InspectSettings(BaseModel):
    """Pictures judged by a saved detector."""

    model_config = Settings.model_config

    detector: str = Field("", description="file that an arm's notebook has written")
    image: str = Field("", description="a picture, or a folder of pictures")
    weights: str = Field("", description="the backbone's file, where it had one of its own")
    output: str = Field("build/inspection", description="folder of the table and the report")


class EvidenceSettings(BaseModel):
    """A chapter on the reference results."""

    model_config = Settings.model_config

    reference_dir: str = Field("data/reference", description="folder of the reference results")


class CategorySettings(EvidenceSettings):
    """A chapter on one category of the reference results."""

    category: str = Field("metal_nut", min_length=1, description="a category of the study")


SETTINGS: dict[str, type[BaseModel]] = {
    "data": DataSettings,
    "autoencoder": AutoencoderSettings,
    "resnet": ResnetSettings,
    "combined": CombinedSettings,
    "patchcore": PatchcoreSettings,
    "combined_plus": CombinedPlusSettings,
    "learning_curve": LearningCurveSettings,
    "ablation": AblationSettings,
    "summary": SummarySettings,
    "category": CategorySettings,
} | dict.fromkeys([name for name in EVIDENCE if name != "category"], EvidenceSettings)
"""The notebooks of the book."""
TOOLS: dict[str, type[BaseModel]] = {"inspect": InspectSettings}
"""Notebooks for use, which no book needs."""
"""The settings of each notebook, by its name."""


def make_settings(notebook: str, given: Mapping[str, Any]) -> Any:
    """Check the parameters of a notebook.

    Parameters
    ----------
    notebook : str
        A key of `SETTINGS` or `TOOLS`.
    given : mapping of str to value
        The parameters by name; what is left out takes its default.

    Returns
    -------
    Settings
        An instance of the notebook's class.

    Raises
    ------
    UserError
        If a name is unknown or a value has the wrong type or range.
    """
    try:
        return (SETTINGS | TOOLS)[notebook](**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise UserError(unknown_parameter(name, [notebook])) from None
        reason = first["msg"][0].lower() + first["msg"][1:]
        raise UserError(f"parameter {name}={first['input']!r} ({notebook}): {reason}") from None


def unknown_parameter(name: str, notebooks: list[str]) -> str:
    """Word the refusal of a parameter that none of the notebooks knows."""
    classes = [(SETTINGS | TOOLS)[notebook] for notebook in notebooks]
    known = sorted({field for each in classes for field in each.model_fields})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"unknown parameter {name!r} ({', '.join(notebooks)}); {hint}"


def read_parameters(notebook: str, namespace: Mapping[str, Any]) -> Any:
    """Collect and check the parameters that a notebook's cells have set.

    papermill only warns of a parameter that a notebook does not know. Here it
    is an error: every plain value among the notebook's variables must be one
    of its parameters, so this must run before other variables are set.

    Parameters
    ----------
    notebook : str
        A key of `SETTINGS` or `TOOLS`.
    namespace : mapping
        The notebook's ``globals()``.

    Returns
    -------
    Settings
        See `make_settings`.

    Raises
    ------
    UserError
        If a name is unknown or a value has the wrong type or range.
    """
    plain = (str, int, float, bool, list, dict, type(None))
    ipython = {"In", "Out"}
    given = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, plain) and not name.startswith("_") and name not in ipython
    }
    return make_settings(notebook, given)

"""The parameters of the notebooks, checked once; a model's own are read off its constructor."""

import difflib
import functools
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from anomalylib.detectors.registry import DETECTORS
from anomalylib.errors import UserError
from anomalylib.parameters import first_refusal, parameters_of
from study.names import REPORTED


class Checked(BaseModel):
    """Parameters of which none is unknown and none changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# What a notebook may be given: of each parameter its type, and its default with its range.
REFERENCE = {"reference_dir": (str, "data/reference")}
CATEGORY = {"category": (str, Field(REPORTED[0], min_length=1))}
CATEGORIES = {"categories": (list[str], Field([*REPORTED], min_length=1))}
SEED = {"seed": (int, Field(0, ge=0, lt=2**31))}
RESULTS = {"results_dir": (str, "results")}
BUILD = CATEGORY | SEED | {"data_root": (str, "")} | RESULTS
MODEL = BUILD | {"threads": (int, Field(0, ge=0, le=256)), "device": (str, "auto")}
ON_FEATURES = MODEL | {"backbone": (str, "auto"), "weights": (str, "")}
ON_FEATURES |= {"layers": (str, ""), "chosen": (str, "")}
SIZES = r"^([2-9]|[1-9][0-9]+)(,([2-9]|[1-9][0-9]+))*$"
LEARNING_CURVE = ON_FEATURES | {
    "model": (Literal[tuple(name for name in DETECTORS if name != "autoencoder")], "combined"),
    "sizes": (str, Field("10,20,50,100,200", pattern=SIZES, coerce_numbers_to_str=True)),
    "repeats": (int, Field(3, ge=1, le=100)),
}
APART = {  # notebooks that are neither models nor plain chapters
    "category": REFERENCE | CATEGORY,
    "your_parts": {
        **REFERENCE,
        "threads": MODEL["threads"],
        "normal_images": (int, Field(100, ge=24, le=10_000)),
        "image_size": (int, Field(384, ge=64, le=2048, multiple_of=32)),
    },
    "data": BUILD,
    "ablation": BUILD,
    "summary": CATEGORIES | SEED | {"data_root": (str, "")} | RESULTS,
    "inspect": {
        "detector": (str, ""),
        "image": (str, ""),
        "weights": (str, ""),
        "output": (str, "build/inspection"),
    },
}


@functools.cache
def settings_of(notebook: str) -> type[Checked]:
    """The class of a notebook's parameters; a chapter's, unless it is known as another."""
    if notebook in (*DETECTORS, "learning_curve"):
        parameters = _of_model(notebook)
    else:
        parameters = APART.get(notebook, REFERENCE)
    return create_model(f"{notebook.title()}Settings", __base__=Checked, **parameters)


def _of_model(notebook: str) -> dict[str, tuple[Any, Any]]:
    """The parameters of a notebook that fits a model."""
    kind = DETECTORS["combined" if notebook == "learning_curve" else notebook]
    of_model = parameters_of(kind)
    if notebook == "autoencoder":
        return MODEL | of_model
    from anomalylib.features.extractor import FeatureExtractor

    extractor = dict(parameters_of(FeatureExtractor))
    extractor["image_size"] = (extractor["image_size"][0], kind.IMAGE_SIZE)
    if notebook == "learning_curve":
        on_scores = {name: of_model[name] for name in ("top_k", "sigma")}
        return LEARNING_CURVE | on_scores | extractor
    return ON_FEATURES | extractor | of_model


def make_settings(notebook: str, given: Mapping[str, Any]) -> Any:
    """Check the parameters of a model, a chapter or one of `APART`; an instance of its class.

    What is left out takes its default; an unknown name or a wrong value is a `UserError`.
    """
    try:
        return settings_of(notebook)(**given)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "extra_forbidden":
            raise UserError(unknown_parameter(str(first["loc"][0]), [notebook])) from None
        hint = ": papermill's -p makes numbers of digits, its -r leaves text as it is"
        not_text = first["type"] == "string_type"
        raise UserError(first_refusal(error, notebook) + hint * not_text) from None


NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""What YAML, Python and people read alike: not 010, 0x10, 1_000 or 1:30."""


def typed(name: str, kind: Any, value: Any) -> Any:
    """What was typed, as a parameter of this type takes it: text stays as it is."""
    if isinstance(value, str) and kind is bool:
        if value.lower() not in ("true", "false"):
            raise UserError(f"{name}={value!r}: write true or false")
        return value.lower() == "true"
    if isinstance(value, str) and kind in (int, float):
        if not NUMBER.fullmatch(value) or not math.isfinite(float(value)):
            raise UserError(f"{name}={value!r}: write a plain decimal number, as 10 or 0.001")
        return int(value) if value.lstrip("+-").isdigit() else float(value)
    return value


def unknown_parameter(name: str, notebooks: Iterable[str]) -> str:
    """Word the refusal of a parameter that none of the notebooks knows."""
    known = sorted({field for each in notebooks for field in settings_of(each).model_fields})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"unknown parameter {name!r} ({', '.join(notebooks)}); {hint}"


def begin(notebook: str, namespace: Mapping[str, Any]) -> Any:
    """Check the parameters that a notebook's cells have set in its ``globals()``.

    papermill only warns of a parameter that a notebook does not know; here every plain value
    must be one, so this runs before other variables are set. PyTorch gets the threads asked
    for, and where no data are named the synthetic parts take their place.
    """
    plain = (str, int, float, bool, list, dict, type(None))
    given = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, plain) and name[0].islower()  # not IPython's In and Out, no constant
    }
    settings = make_settings(notebook, given)
    if getattr(settings, "data_root", None) == "":
        from study.parts.synthetic import ensure_synthetic

        settings = settings.model_copy(update={"data_root": str(ensure_synthetic())})
    if getattr(settings, "threads", 0):
        import torch  # which takes seconds, and chapters do without

        torch.set_num_threads(settings.threads)
    return settings

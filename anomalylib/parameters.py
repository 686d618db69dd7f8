"""Parameters as the constructors have them: type, range and default, read off and checked."""

import functools
import inspect
import typing
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from anomalylib.errors import UserError

SURROUNDINGS = ("features", "backbone", "cache", "keep", "on_epoch")
"""Parameters that are no plain values: what a detector works with, not how."""


@functools.cache
def parameters_of(kind: type) -> dict[str, tuple[Any, Any]]:
    """The plain parameters of a constructor: type with its range, and default, by name.

    Parameters
    ----------
    kind : type
        A detector or `FeatureExtractor`.
    """
    hints = typing.get_type_hints(kind.__init__, include_extras=True)
    known = inspect.signature(kind).parameters.values()
    return {p.name: (hints[p.name], p.default) for p in known if p.name not in SURROUNDINGS}


@functools.cache
def model_of(kind: type) -> type[BaseModel]:
    """A pydantic class that checks the plain parameters of a constructor."""
    config = ConfigDict(extra="forbid", frozen=True)
    return create_model(kind.__name__, __config__=config, **parameters_of(kind))


def check(kind: type, given: dict[str, Any]) -> None:
    """Hold values against the types and ranges of a constructor.

    Raises
    ------
    UserError
        If a name is unknown or a value has the wrong type or range.
    """
    try:
        model_of(kind)(**given)
    except ValidationError as error:
        raise UserError(first_refusal(error, kind.__name__)) from None


def first_refusal(error: ValidationError, where: str) -> str:
    """The first thing that pydantic refuses, in one line."""
    first = error.errors()[0]
    reason = first["msg"][0].lower() + first["msg"][1:]
    return f"parameter {first['loc'][0]}={first['input']!r} ({where}): {reason}"

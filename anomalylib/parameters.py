"""Parameters as the constructors have them: type, range and default, read off and checked."""

import functools
import inspect
import typing
from typing import Any

from pydantic import ValidationError, create_model

from anomalylib.errors import UserError

SURROUNDINGS = ("features", "backbone", "device", "cache", "keep", "on_epoch")
"""Parameters that are no plain values: what a detector works with, not how."""


@functools.cache
def parameters_of(kind: type) -> dict[str, tuple[Any, Any]]:
    """The plain parameters of a constructor: type with its range, and default, by name."""
    hints = typing.get_type_hints(kind.__init__, include_extras=True)
    known = inspect.signature(kind).parameters.values()
    return {p.name: (hints[p.name], p.default) for p in known if p.name not in SURROUNDINGS}


def check(kind: type, given: dict[str, Any]) -> None:
    """Hold values against the types and ranges of a constructor, or raise a `UserError`."""
    checked = create_model(kind.__name__, __config__={"extra": "forbid"}, **parameters_of(kind))
    try:
        checked(**given)
    except ValidationError as error:
        raise UserError(first_refusal(error, kind.__name__)) from None


def first_refusal(error: ValidationError, where: str) -> str:
    """The first thing that pydantic refuses, in one line."""
    first = error.errors()[0]
    reason = first["msg"][0].lower() + first["msg"][1:]
    return f"parameter {first['loc'][0]}={first['input']!r} ({where}): {reason}"

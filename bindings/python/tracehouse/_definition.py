"""A built-in scorer of its definition."""

from __future__ import annotations

from typing import Any

from tracehouse import _native
from tracehouse._given import refused
from tracehouse.errors import InvalidInputError


def native_of(definition: dict[str, Any]) -> _native.Scorer:
    """The native scorer of a definition that is no function's and no judge's.

    Raises:
        InvalidInputError: a setting that is not known or wrong.
    """
    kind = definition.get("kind")
    if kind in {"function", "judge"}:
        what = "a function of a program" if kind == "function" else "a judge"
        raise InvalidInputError(f"scorer {definition.get('name')!r} is {what}: it must be given")
    with refused():
        return _native.scorer_from_definition(definition)

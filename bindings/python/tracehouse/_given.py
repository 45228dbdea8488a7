"""Between Python's values and the dictionaries that the native module takes and gives for evaluations, prompts and
reviews."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

from tracehouse.errors import Error, InvalidInputError

_R = TypeVar("_R")
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


@contextmanager
def refused() -> Iterator[None]:
    """What is refused for its value or its type is an error of this package."""
    try:
        yield
    except Error:
        raise
    except (TypeError, ValueError) as error:
        raise InvalidInputError(str(error)) from error
    except Exception as error:
        # The native module has no better class for a dictionary that it does not understand.
        if type(error) is Exception:
            raise InvalidInputError(str(error)) from error
        raise


def record_of(cls: type[_R], given: Mapping[str, Any], **others: Any) -> _R:
    """A record of the members of a dictionary that have its fields' names; `others` are made already."""
    names = getattr(cls, "__dataclass_fields__", {})
    own = {name: value for name, value in given.items() if name in names}
    return cls(**{**own, **others})


def plain(value: Any, what: str, *, as_text: bool = False) -> Any:
    """A value as JSON has it: numbers of numpy as Python's, dataclasses and models as dictionaries, times as texts.

    Args:
        value: the value.
        what: where it stands, for the error.
        as_text: values that JSON has not are told by their `repr`.

    Raises:
        InvalidInputError: names the value that JSON has not.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        # Larger ones the engine cannot have as numbers.
        return int(value) if _INT_MIN <= value <= _INT_MAX else str(value)
    if isinstance(value, float):
        # Only finite ones are numbers of JSON.
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{what}.{key}", as_text=as_text) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, what, as_text=as_text) for item in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    opened = _opened(value)
    if opened is not value:
        return plain(opened, what, as_text=as_text)
    if as_text:
        return repr(value)
    raise InvalidInputError(f"{what} is a {type(value).__name__}: a value that JSON has expected")


def _opened(value: Any) -> Any:
    """An object of another library as the value that it holds; itself where it holds none."""
    if isinstance(value, type):
        return value
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    for method in ("model_dump", "to_dict", "tolist", "item"):
        read = getattr(value, method, None)
        if callable(read):
            return read()
    return value

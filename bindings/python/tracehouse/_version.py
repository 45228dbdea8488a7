"""The version of a scorer that is a function: a hash of what it does, as far as that can be seen."""

from __future__ import annotations

import functools
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType
from typing import Any

_DIGITS = 12
_PLAIN = (bool, int, float, str, bytes, type(None))


def version_of(*functions: Callable[..., Any] | None) -> str:
    """The first digits of a hash of the functions' sources, and of the plain values that they hold."""
    told = "\0".join(_told(function) for function in functions if function is not None)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def _told(function: Callable[..., Any]) -> str:
    if isinstance(function, functools.partial):
        bound = [function.args, sorted(function.keywords.items())]
        return f"{_told(function.func)}{_plain(bound)}"
    inner = inspect.unwrap(function)
    if not hasattr(inner, "__code__"):
        # An object that can be called: what its class says, and what it holds.
        return f"{_source(type(inner))}{_plain(sorted(getattr(inner, '__dict__', {}).items()))}"
    held = [cell.cell_contents for cell in inner.__closure__ or () if _is_filled(cell)]
    return f"{_source(inner)}{_plain([inner.__defaults__, inner.__kwdefaults__, held])}"


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 asked whether it is there
    except ValueError:
        return False
    return True


def _source(thing: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        code = getattr(thing, "__code__", None)
        return _code(code) if code is not None else str(getattr(thing, "__qualname__", thing))


def _code(code: CodeType) -> str:
    """Compiled code without addresses and places."""
    constants = [_code(one) if isinstance(one, CodeType) else _plain(one) for one in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {constants}"


def _plain(value: Any) -> str:
    """A value whose text is the same in every process; others count by their type."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_plain(one) for one in value)}]"
    if isinstance(value, dict):
        return _plain(sorted((str(key), one) for key, one in value.items()) if value else [])
    return f"<{type(value).__qualname__}>"

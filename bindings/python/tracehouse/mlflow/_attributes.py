"""Attributes as MLflow keeps them, a JSON text for each key, and as the database does, one JSON object of values.

Texts go over without being parsed where nothing in them can mean something else: the database writes bytes and numbers
that JSON has not as objects with one key that begins with `$`.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_SUSPECT = ('"$', "NaN", "Infinity")


def object_text(texts: Mapping[str, Any]) -> str:
    """The JSON object of attributes that are JSON texts."""
    joined = ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_text(value)}" for key, value in texts.items())
    if any(word in joined for word in _SUSPECT):
        return parsed_text(texts)
    return "{" + joined + "}"


def parsed_text(texts: Mapping[str, Any]) -> str:
    """The same for texts that may be no JSON: these stand for themselves."""
    return values_text({key: _parsed(value) for key, value in texts.items()})


def values_text(values: Mapping[str, Any]) -> str:
    """The JSON object of attributes that are values."""
    stored = {str(key): _stored(value) for key, value in values.items()}
    return json.dumps(stored, ensure_ascii=False, allow_nan=False, default=str)


def attribute_texts(text: str) -> dict[str, str]:
    """The attributes of a JSON object, each as JSON text."""
    values: dict[str, Any] = json.loads(text)
    if '"$' in text:
        values = {key: _given(value) for key, value in values.items()}
    return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}


def attribute_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the database as plain values."""
    return {key: _given(value) for key, value in values.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _stored(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$double": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        stored = {str(key): _stored(item) for key, item in value.items()}
        only = next(iter(stored)) if len(stored) == 1 else ""
        return {f"${only}": stored[only]} if only.startswith("$") else stored
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_stored(item) for item in value]
    return value


def _given(value: Any) -> Any:
    if isinstance(value, list):
        return [_given(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(key, only)] = value.items()
        if key == "$double":
            return _NUMBERS[only]
        if key.startswith("$") and key != "$bytes":
            return {key[1:]: _given(only)}
    return {key: _given(item) for key, item in value.items()}

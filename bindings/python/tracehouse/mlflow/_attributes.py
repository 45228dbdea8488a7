"""Attributes as MLflow keeps them, a JSON text for each key, and as the database does, one JSON object of values.

Texts go over as they are where all of them are JSON and nothing in them can mean something else: the database writes
bytes and numbers that JSON has not as objects with one key that begins with `$`. A text that is no JSON is an attribute
too, and must not spoil the others.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tracehouse._otlp import number_object

NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_SUSPECT = ('"$', "NaN", "Infinity", "\\ud", "\\uD")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def object_text(texts: Mapping[str, Any]) -> str:
    """The JSON object of attributes that are JSON texts."""
    if not all(_is_json(value) for value in texts.values()):
        return parsed_text(texts)
    joined = ",".join(f"{_name(key)}:{_text(value)}" for key, value in texts.items())
    if any(word in joined for word in _SUSPECT) or _has_half_characters(joined):
        return parsed_text(texts)
    return "{" + joined + "}"


def parsed_text(texts: Mapping[str, Any]) -> str:
    """The same for texts that may be no JSON: these stand for themselves."""
    return values_text({key: _parsed(value) for key, value in texts.items()})


def values_text(values: Mapping[str, Any]) -> str:
    """The JSON object of attributes that are values."""
    stored = {str(key): stored_value(value) for key, value in values.items()}
    text = json.dumps(stored, ensure_ascii=False, allow_nan=False, default=str)
    if _has_half_characters(text):
        # They are no UTF-8; as escapes they may stand in a value, but not in a name.
        text = json.dumps(_with_whole_names(stored), allow_nan=False, default=str)
    return text


def _has_half_characters(text: str) -> bool:
    return not text.isascii() and _LONE_SURROGATE.search(text) is not None


def _with_whole_names(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_whole_names(item) for item in value]
    if isinstance(value, dict):
        return {_LONE_SURROGATE.sub("\ufffd", key): _with_whole_names(item) for key, item in value.items()}
    return value


def attribute_texts(text: str) -> dict[str, str]:
    """The attributes of a JSON object, each as JSON text."""
    values: dict[str, Any] = json.loads(text)
    if '"$' in text:
        values = {key: given_value(value) for key, value in values.items()}
    return {key: _ENCODER.encode(value) for key, value in values.items()}


def attribute_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the database as plain values."""
    return {key: given_value(value) for key, value in values.items()}


@lru_cache(maxsize=1024)
def _name(key: str) -> str:
    """A name as JSON text: spans have the same ones again and again."""
    return _ENCODER.encode(key)


def _is_json(value: Any) -> bool:
    if not isinstance(value, str):
        return True
    try:
        # White space around a value is JSON, too, and `loads` looks for it each time.
        return _DECODER.raw_decode(value)[1] == len(value) or _is_padded_json(value)
    except (ValueError, RecursionError):
        return _is_padded_json(value)


def _is_padded_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return json.loads(value) if _is_json(value) else value


def stored_value(value: Any) -> Any:
    """A value as the database keeps it, with what JSON has not."""
    if isinstance(value, float) and not math.isfinite(value):
        return number_object(value)
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        stored = {str(key): stored_value(item) for key, item in value.items()}
        only = next(iter(stored)) if len(stored) == 1 else ""
        return {f"${only}": stored[only]} if only.startswith("$") else stored
    if isinstance(value, (list, tuple, set, frozenset)):
        return [stored_value(item) for item in value]
    return value


def given_value(value: Any) -> Any:
    """What a value of the database was."""
    if isinstance(value, list):
        return [given_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(key, only)] = value.items()
        if key == "$double":
            return NUMBERS[only]
        if key == "$bytes":
            # As MLflow writes bytes, which JSON has not.
            return str(base64.b64decode(only))
        if key.startswith("$"):
            return {key[1:]: given_value(only)}
    return {key: given_value(item) for key, item in value.items()}

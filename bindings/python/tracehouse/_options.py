"""What Python callers may write for an argument, made what the native module takes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from datetime import date, datetime, timezone
from typing import Any, TypeAlias

from tracehouse import _native
from tracehouse.errors import InvalidInputError

Time: TypeAlias = datetime | date | str | int
"""A time: a `datetime` (without a zone: UTC), RFC 3339 text, `now() - 7d`, or Unix nanoseconds."""

_SIZES = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_NS_PER_MS = 1_000_000


def as_texts(given: str | Iterable[str] | None) -> list[str] | None:
    """One text or several, as a list; `None` stays."""
    if given is None:
        return None
    return [given] if isinstance(given, str) else list(given)


def optional_text(value: Any) -> str:
    """The value of a tag or of metadata: texts as they are, other plain values as JSON writes them."""
    return value if isinstance(value, str) else json_text(value)


def json_text(value: Any) -> str:
    """A value as JSON text.

    Raises:
        InvalidInputError: a value that JSON has not.
    """
    try:
        return json.dumps(_native_value(value), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"a value that JSON has expected: {error}") from error


def _native_value(value: Any) -> Any:
    """Numbers of numpy and the like as Python's."""
    item = getattr(value, "item", None)
    return item() if callable(item) and not isinstance(value, (dict, list)) else value


def as_time_ns(given: Time | None) -> int:
    """A time as Unix nanoseconds; `None` is now.

    Raises:
        InvalidInputError: a text that is no time.
    """
    if given is None:
        return time.time_ns()
    if isinstance(given, int):
        return given
    if isinstance(given, str):
        return _native.parse_time(given)
    astype = getattr(given, "astype", None)
    if callable(astype):  # numpy.datetime64
        return int(astype("datetime64[ns]").astype("int64"))
    if not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day)
    if given.tzinfo is None:
        given = given.replace(tzinfo=timezone.utc)
    since = given - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def as_time_ms(given: Time) -> int:
    """A time as Unix milliseconds."""
    return as_time_ns(given) // _NS_PER_MS


def size_bytes(given: int | str) -> int:
    """A size in bytes: a number, or text such as `512MiB`, `1GB`, `100 kB`.

    Raises:
        InvalidInputError: a text of another form, or a negative number.
    """
    if isinstance(given, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?\s*", given.upper())
        if match is None:
            raise InvalidInputError(f"size {given!r}: bytes, or a number with kB, MB, GB, KiB, MiB or GiB expected")
        return int(float(match[1]) * (1024 if match[3] else 1000) ** _SIZES[match[2]])
    if given < 0:
        raise InvalidInputError(f"size {given}: a number of bytes expected")
    return given


def aggregation(given: str | float) -> tuple[str, float]:
    """An aggregation as its word and, for a percentile, its number.

    Raises:
        InvalidInputError: another word.
    """
    if isinstance(given, (int, float)):
        return ("PERCENTILE", float(given))
    word = given.upper()
    if word in {"COUNT", "SUM", "AVG", "MIN", "MAX"}:
        return (word, 0.0)
    match = re.fullmatch(r"P(\d+(?:\.\d+)?)", word)
    if match is None:
        raise InvalidInputError(f"aggregation {given!r}: COUNT, SUM, AVG, MIN, MAX, P50, P99.5 or a number expected")
    return ("PERCENTILE", float(match[1]))


def rows_json(given: Any) -> str:
    """A list of dictionaries, or a dictionary of lists, as a JSON array of objects.

    Raises:
        InvalidInputError: lists of different lengths, or a value that JSON has not.
    """
    if isinstance(given, dict):
        if len({len(column) for column in given.values()}) > 1:
            raise InvalidInputError("the lists of a table have different lengths")
        given = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    return json_row(given)


def json_row(given: Any) -> str:
    """A row of a table, or its rows, as JSON; times are ISO 8601.

    Raises:
        InvalidInputError: a value that JSON has not.
    """
    try:
        return json.dumps(given, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"a table of values that JSON has expected: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise TypeError(f"{type(value).__name__} is not JSON")

"""What all plain results share: fields by name as attributes and as members, times from nanoseconds.

Sits under `trace`, `reports` and `dataset`; knows nothing of the native module.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_datetime(ns: int) -> datetime:
    """The time of Unix nanoseconds, in UTC; what is finer than a microsecond is cut off."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def to_optional_datetime(ns: int | None) -> datetime | None:
    """The time of Unix nanoseconds, where there is one."""
    return None if ns is None else to_datetime(ns)


def to_plain(value: Any) -> Any:
    """A value as JSON can have it: records as dictionaries, all the way down."""
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value


class Record:
    """A row with named fields: `row.name`, `row["name"]` and `dict(row)` are the same."""

    __slots__ = ()

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return tuple(getattr(cls, "__dataclass_fields__", ()))

    def keys(self) -> tuple[str, ...]:
        """The names of the fields."""
        return self._names()

    def __getitem__(self, name: str) -> Any:
        if name in self._names():
            return getattr(self, name)
        raise KeyError(f"{type(self).__name__} has no field {name!r}: {', '.join(self._names())}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON can have them."""
        return {name: to_plain(getattr(self, name)) for name in self._names()}

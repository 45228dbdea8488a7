"""Values of Arrow arrays as Python's, by the rules of the native module: times in UTC cut to microseconds, maps and
structs as dictionaries, lists as lists, decimals exact.

pyarrow's own conversion wants pandas for nanoseconds and gives pairs for maps.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tracehouse._record import to_datetime

if TYPE_CHECKING:
    import pyarrow

_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def rows_of(batch: pyarrow.RecordBatch) -> list[tuple[Any, ...]]:
    """The rows of a batch."""
    if batch.num_columns == 0:
        return [()] * batch.num_rows
    return list(zip(*(values(column) for column in batch.columns), strict=True))


def values(array: pyarrow.Array) -> list[Any]:
    """The values of an array."""
    import pyarrow

    kinds, kind = pyarrow.types, array.type
    if kinds.is_timestamp(kind):
        return _times(array, _NS[kind.unit], kind.tz is not None)
    if kinds.is_duration(kind):
        unit = _NS[kind.unit]
        return _each(array.cast(pyarrow.int64()), lambda value: timedelta(microseconds=value * unit // 1_000))
    if kinds.is_map(kind):
        pairs = list(zip(values(array.keys), values(array.items), strict=True))
        return _ranges(array, lambda begin, end: dict(pairs[begin:end]))
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        items = values(array.values)
        return _ranges(array, lambda begin, end: items[begin:end])
    if kinds.is_struct(kind):
        names = [kind.field(at).name for at in range(kind.num_fields)]
        columns = zip(*(values(column) for column in array.flatten()), strict=True)
        rows = [dict(zip(names, row, strict=True)) for row in columns] if names else [{} for _ in array]
        return [row if is_there else None for row, is_there in zip(rows, array.is_valid().to_pylist(), strict=True)]
    if kinds.is_dictionary(kind):
        return values(array.dictionary_decode())
    plain: list[Any] = array.to_pylist()
    return plain


def _times(array: pyarrow.Array, unit_ns: int, is_utc: bool) -> list[datetime | None]:
    import pyarrow

    def moment(value: int) -> datetime:
        made = to_datetime(value * unit_ns)
        return made if is_utc else made.astimezone(timezone.utc).replace(tzinfo=None)

    return _each(array.cast(pyarrow.int64()), moment)


def _each(array: pyarrow.Array, convert: Any) -> list[Any]:
    return [None if value is None else convert(value) for value in array.to_pylist()]


def _ranges(array: pyarrow.Array, take: Any) -> list[Any]:
    """What `take` makes of the items of each list; an array that is a part of another counts from that one's start."""
    offsets = array.offsets.to_pylist()
    bounds = zip(offsets, offsets[1:], array.is_valid().to_pylist(), strict=False)
    return [take(begin, end) if is_there else None for begin, end, is_there in bounds]

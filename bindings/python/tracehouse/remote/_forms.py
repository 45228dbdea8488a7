"""What the JSON of a server says, as the objects that a local database gives.

Times are RFC 3339 with all their digits and become nanoseconds; a number that JSON has not is the text of its name.
Members that an object does not have are left out: a newer server may say more.
"""

from __future__ import annotations

import calendar
import json
import re
import time
from collections.abc import Mapping
from typing import Any, TypeVar

from tracehouse._otlp import attributes_text
from tracehouse._record import Record
from tracehouse.dataset import DatasetInfo, DatasetRecord, MergeReport
from tracehouse.errors import Error
from tracehouse.reports import ImportReport, Rejected, Session, Stats, TextHit
from tracehouse.span import _FIELDS, Span
from tracehouse.trace import Assessment, Trace, TraceInfo

_R = TypeVar("_R", bound=Record)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)")


def time_ns(text: str | None) -> int | None:
    """The Unix nanoseconds of a time; `None` stays."""
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise Error(f"the server gave {text!r}: a time in UTC expected")
    seconds = calendar.timegm(time.strptime(f"{match[1]} {match[2]}", "%Y-%m-%d %H:%M:%S"))
    return seconds * 1_000_000_000 + int((match[3] or "").ljust(9, "0"))


def number(value: Any) -> float:
    """A number, whose name may stand for it."""
    return float(value)


def optional_number(value: Any) -> float | None:
    """A number, where there is one."""
    return None if value is None else float(value)


def made(cls: type[_R], given: Mapping[str, Any], **changed: Any) -> _R:
    """An object of its members; times by the names without `_ns` become nanoseconds."""
    fields: dict[str, Any] = {}
    for name in cls._names():
        if name in changed:
            fields[name] = changed[name]
        elif name in given:
            fields[name] = given[name]
        elif name.endswith("_ns") and name.removesuffix("_ns") in given:
            fields[name] = time_ns(given[name.removesuffix("_ns")])
    return cls(**fields)


def trace_info(row: Mapping[str, Any], root_span_id: str | None = None) -> TraceInfo:
    """The row of a trace."""
    return made(
        TraceInfo,
        row,
        cost_usd=optional_number(row.get("cost_usd")),
        models=row.get("models") or [],
        tags=row.get("tags") or {},
        metadata=row.get("metadata") or {},
        root_span_id=row.get("root_span_id", root_span_id),
    )


def span(row: Mapping[str, Any]) -> Span:
    """A span."""
    fields = {name: row[name] for name in _FIELDS if name in row}
    for name in ("attributes", "resource"):
        # As text, which is what is stored: MLflow's store reads it so.
        fields[name] = attributes_text(row.get(name))
    fields["start_time_ns"], fields["end_time_ns"] = time_ns(row["start_time"]), time_ns(row["end_time"])
    fields["cost_usd"] = optional_number(row.get("cost_usd"))
    fields["links"] = row.get("links") or []
    fields["events"] = [
        {"name": event["name"], "time_ns": time_ns(event["time"]), "attributes": event["attributes"]}
        for event in row.get("events") or []
    ]
    return Span(**fields)


def assessment(row: Mapping[str, Any]) -> Assessment:
    """An assessment."""
    return made(Assessment, row, value=json_value(row["value"]), metadata=row.get("metadata") or {})


def trace(given: Mapping[str, Any]) -> Trace:
    """A trace with its spans and assessments."""
    spans = [span(row) for row in given["spans"]]
    return Trace(
        trace_info(given["trace"], _root_span_id(spans)), spans, [assessment(row) for row in given["assessments"]]
    )


def _root_span_id(spans: list[Span]) -> str | None:
    """The span that stands for the trace: the earliest without a parent, else the earliest whose parent is missing."""
    ids = {one.span_id for one in spans}
    for tops in (
        [one for one in spans if one.parent_span_id is None],
        [one for one in spans if one.parent_span_id not in ids],
    ):
        if tops:
            return min(tops, key=lambda one: (one.start_time_ns, one.span_id)).span_id
    return None


def text_hit(given: Mapping[str, Any]) -> TextHit:
    """A hit; the server counts bytes of UTF-8, which are no places in a Python text."""
    encoded = given["snippet"].encode()
    places = [
        (len(encoded[:begin].decode(errors="ignore")), len(encoded[:end].decode(errors="ignore")))
        for begin, end in given["highlights"]
    ]
    return made(TextHit, given, highlights=places)


def session(given: Mapping[str, Any]) -> Session:
    """A session."""
    return made(Session, given, cost_usd=optional_number(given["cost_usd"]))


def stats(given: Mapping[str, Any]) -> Stats:
    """The figures of a database."""
    return made(Stats, given)


def rejected(given: Mapping[str, Any]) -> list[Rejected]:
    """What a report lists as not kept."""
    return [made(Rejected, one) for one in given["rejected"]]


def import_report(given: Mapping[str, Any]) -> ImportReport:
    """What an import did."""
    return made(ImportReport, given, rejected=rejected(given))


def merge_report(given: Mapping[str, Any]) -> MergeReport:
    """What a change of a dataset did."""
    return made(MergeReport, given, rejected=rejected(given))


def dataset_info(given: Mapping[str, Any]) -> DatasetInfo:
    """A version of a dataset."""
    return made(DatasetInfo, given, snapshot_sequence=given.get("snapshot_sequence", 0))


def dataset_record(given: Mapping[str, Any]) -> DatasetRecord:
    """A record of a dataset."""
    texts = ("inputs", "outputs", "expectations", "tags", "source_data")
    values = {name: json_value(given[name]) for name in texts}
    return made(DatasetRecord, given, **{**values, "tags": values["tags"] or {}})


def json_value(text: str | None) -> Any:
    """What a JSON text says; the text itself where it is none, and `None` stays."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text

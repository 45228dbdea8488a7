"""Tracehouse: an embedded analytical database for LLM and agent traces.

    import tracehouse

    with tracehouse.connect("app.traces") as db:
        db.import_otlp("traces.jsonl.gz")
        for trace in db.search_traces("feedback.correctness = false"):
            print(trace)
        db.sql("SELECT model, count(*) FROM spans GROUP BY model").df()

Importing it loads the native module and little else: classes of results are loaded when the first of them is made or
named, pandas, polars, pyarrow and OpenTelemetry by the calls that need them.
"""

from typing import TYPE_CHECKING

from tracehouse._functions import backup, check, check_filter, conventions, csv_cell, decode_otlp, parse_time, repair
from tracehouse._native import __version__
from tracehouse.database import Database, connect
from tracehouse.errors import (
    ClosedError,
    ConflictError,
    CorruptError,
    Error,
    InvalidInputError,
    NotFoundError,
    NoticeWarning,
    QueryCancelledError,
    QueryTimeoutError,
    ResourceExhaustedError,
    StorageError,
    UnavailableError,
)
from tracehouse.result import Result

if TYPE_CHECKING:
    from tracehouse.dataset import (
        Dataset,
        DatasetInfo,
        DatasetRecord,
        MergeReport,
        PartChange,
        RecordChange,
        RecordDiff,
    )
    from tracehouse.reports import (
        BackupReport,
        CheckReport,
        Compacted,
        CompletedSession,
        Convention,
        EraseReceipt,
        FilterCorrelation,
        Finding,
        ImportReport,
        MetricPoint,
        Price,
        Redaction,
        Rejected,
        RepairReport,
        RetentionReport,
        Session,
        Sessions,
        Stats,
        TextHit,
    )
    from tracehouse.trace import (
        Assessment,
        Message,
        Span,
        SpanEvent,
        SpanLink,
        Trace,
        TraceInfo,
        TracePage,
        TraceStart,
    )

__all__ = [
    "Assessment",
    "BackupReport",
    "CheckReport",
    "ClosedError",
    "Compacted",
    "CompletedSession",
    "ConflictError",
    "Convention",
    "CorruptError",
    "Database",
    "Dataset",
    "DatasetInfo",
    "DatasetRecord",
    "EraseReceipt",
    "Error",
    "FilterCorrelation",
    "Finding",
    "ImportReport",
    "InvalidInputError",
    "MergeReport",
    "Message",
    "MetricPoint",
    "NotFoundError",
    "NoticeWarning",
    "PartChange",
    "Price",
    "QueryCancelledError",
    "QueryTimeoutError",
    "RecordChange",
    "RecordDiff",
    "Redaction",
    "Rejected",
    "RepairReport",
    "ResourceExhaustedError",
    "Result",
    "RetentionReport",
    "Session",
    "Sessions",
    "Span",
    "SpanEvent",
    "SpanLink",
    "Stats",
    "StorageError",
    "TextHit",
    "Trace",
    "TraceInfo",
    "TracePage",
    "TraceStart",
    "UnavailableError",
    "__version__",
    "backup",
    "check",
    "check_filter",
    "connect",
    "conventions",
    "csv_cell",
    "decode_otlp",
    "parse_time",
    "repair",
]

_LATER = {
    "Assessment": "tracehouse.trace",
    "BackupReport": "tracehouse.reports",
    "CheckReport": "tracehouse.reports",
    "Compacted": "tracehouse.reports",
    "CompletedSession": "tracehouse.reports",
    "Convention": "tracehouse.reports",
    "Dataset": "tracehouse.dataset",
    "DatasetInfo": "tracehouse.dataset",
    "DatasetRecord": "tracehouse.dataset",
    "EraseReceipt": "tracehouse.reports",
    "FilterCorrelation": "tracehouse.reports",
    "Finding": "tracehouse.reports",
    "ImportReport": "tracehouse.reports",
    "MergeReport": "tracehouse.dataset",
    "Message": "tracehouse.trace",
    "MetricPoint": "tracehouse.reports",
    "PartChange": "tracehouse.dataset",
    "Price": "tracehouse.reports",
    "RecordChange": "tracehouse.dataset",
    "RecordDiff": "tracehouse.dataset",
    "Redaction": "tracehouse.reports",
    "Rejected": "tracehouse.reports",
    "RepairReport": "tracehouse.reports",
    "RetentionReport": "tracehouse.reports",
    "Session": "tracehouse.reports",
    "Sessions": "tracehouse.reports",
    "Span": "tracehouse.trace",
    "SpanEvent": "tracehouse.trace",
    "SpanLink": "tracehouse.trace",
    "Stats": "tracehouse.reports",
    "TextHit": "tracehouse.reports",
    "Trace": "tracehouse.trace",
    "TraceInfo": "tracehouse.trace",
    "TracePage": "tracehouse.trace",
    "TraceStart": "tracehouse.trace",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})

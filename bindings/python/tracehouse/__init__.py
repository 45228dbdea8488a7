"""Tracehouse: an embedded analytical database for LLM and agent traces.

    import tracehouse

    with tracehouse.connect("app.traces") as db:
        db.import_otlp("traces.jsonl.gz")
        for trace in db.search_traces("feedback.correctness = false"):
            print(trace)
        db.sql("SELECT model, count(*) FROM spans GROUP BY model").df()

Importing it loads the native module and nothing else: pandas, polars, pyarrow and OpenTelemetry are imported by the
calls that need them.
"""

from tracehouse._functions import backup, check, check_filter, conventions, csv_cell, decode_otlp, parse_time, repair
from tracehouse._native import __version__
from tracehouse.database import Database, connect
from tracehouse.dataset import (
    Dataset,
    DatasetInfo,
    DatasetRecord,
    MergeReport,
    PartChange,
    RecordChange,
    RecordDiff,
)
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
from tracehouse.result import Result
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

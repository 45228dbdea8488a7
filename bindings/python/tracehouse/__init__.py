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
    NotSupportedError,
    PermissionDeniedError,
    QueryCancelledError,
    QueryTimeoutError,
    ResourceExhaustedError,
    StorageError,
    UnauthenticatedError,
    UnavailableError,
)
from tracehouse.result import Result

if TYPE_CHECKING:
    from tracehouse import scorers
    from tracehouse.dataset import (
        Dataset,
        DatasetInfo,
        DatasetRecord,
        MergeReport,
        PartChange,
        RecordChange,
        RecordDiff,
    )
    from tracehouse.evaluation import (
        EvalComparison,
        EvalRun,
        Failure,
        GroupComparison,
        ScorerInfo,
    )
    from tracehouse.judges import (
        Judge,
        JudgeUsage,
    )
    from tracehouse.likeness import (
        Alike,
        DedupeReport,
        Holding,
        LeakReport,
        SplitReport,
    )
    from tracehouse.monitoring import MonitorReport, RegisteredScorer
    from tracehouse.prompts import (
        Prompt,
        PromptInfo,
        PromptStats,
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
    from tracehouse.reviews import (
        ReviewAdded,
        ReviewAnswer,
        ReviewAnswered,
        ReviewerProgress,
        ReviewInfo,
        ReviewItem,
        ReviewNext,
        ReviewQueue,
        ReviewStatus,
    )
    from tracehouse.scoring import (
        FunctionScorer,
        Score,
        Scorer,
        scorer,
    )
    from tracehouse.statistics import (
        GroupNumbers,
        GroupQuantiles,
        GroupRates,
        Interval,
        NumberComparison,
        NumberSummary,
        RateSummary,
        Regression,
        ScorerComparison,
        Summary,
        VerdictComparison,
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
    "Alike",
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
    "DedupeReport",
    "EraseReceipt",
    "Error",
    "EvalComparison",
    "EvalRun",
    "Failure",
    "FilterCorrelation",
    "Finding",
    "FunctionScorer",
    "GroupComparison",
    "GroupNumbers",
    "GroupQuantiles",
    "GroupRates",
    "Holding",
    "ImportReport",
    "Interval",
    "InvalidInputError",
    "Judge",
    "JudgeUsage",
    "LeakReport",
    "MergeReport",
    "Message",
    "MetricPoint",
    "MonitorReport",
    "NotFoundError",
    "NotSupportedError",
    "NoticeWarning",
    "NumberComparison",
    "NumberSummary",
    "PartChange",
    "PermissionDeniedError",
    "Price",
    "Prompt",
    "PromptInfo",
    "PromptStats",
    "QueryCancelledError",
    "QueryTimeoutError",
    "RateSummary",
    "RecordChange",
    "RecordDiff",
    "Redaction",
    "RegisteredScorer",
    "Regression",
    "Rejected",
    "RepairReport",
    "ResourceExhaustedError",
    "Result",
    "RetentionReport",
    "ReviewAdded",
    "ReviewAnswer",
    "ReviewAnswered",
    "ReviewInfo",
    "ReviewItem",
    "ReviewNext",
    "ReviewQueue",
    "ReviewStatus",
    "ReviewerProgress",
    "Score",
    "Scorer",
    "ScorerComparison",
    "ScorerInfo",
    "Session",
    "Sessions",
    "Span",
    "SpanEvent",
    "SpanLink",
    "SplitReport",
    "Stats",
    "StorageError",
    "Summary",
    "TextHit",
    "Trace",
    "TraceInfo",
    "TracePage",
    "TraceStart",
    "UnauthenticatedError",
    "UnavailableError",
    "VerdictComparison",
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
    "scorer",
    "scorers",
]

_LATER = {
    "Alike": "tracehouse.likeness",
    "Assessment": "tracehouse.trace",
    "BackupReport": "tracehouse.reports",
    "CheckReport": "tracehouse.reports",
    "Compacted": "tracehouse.reports",
    "CompletedSession": "tracehouse.reports",
    "Convention": "tracehouse.reports",
    "Dataset": "tracehouse.dataset",
    "DatasetInfo": "tracehouse.dataset",
    "DatasetRecord": "tracehouse.dataset",
    "DedupeReport": "tracehouse.likeness",
    "EraseReceipt": "tracehouse.reports",
    "EvalComparison": "tracehouse.evaluation",
    "EvalRun": "tracehouse.evaluation",
    "Failure": "tracehouse.evaluation",
    "FilterCorrelation": "tracehouse.reports",
    "Finding": "tracehouse.reports",
    "FunctionScorer": "tracehouse.scoring",
    "GroupComparison": "tracehouse.evaluation",
    "GroupNumbers": "tracehouse.statistics",
    "GroupQuantiles": "tracehouse.statistics",
    "GroupRates": "tracehouse.statistics",
    "Holding": "tracehouse.likeness",
    "ImportReport": "tracehouse.reports",
    "Interval": "tracehouse.statistics",
    "Judge": "tracehouse.judges",
    "JudgeUsage": "tracehouse.judges",
    "LeakReport": "tracehouse.likeness",
    "MergeReport": "tracehouse.dataset",
    "Message": "tracehouse.trace",
    "MetricPoint": "tracehouse.reports",
    "MonitorReport": "tracehouse.monitoring",
    "NumberComparison": "tracehouse.statistics",
    "NumberSummary": "tracehouse.statistics",
    "PartChange": "tracehouse.dataset",
    "Price": "tracehouse.reports",
    "Prompt": "tracehouse.prompts",
    "PromptInfo": "tracehouse.prompts",
    "PromptStats": "tracehouse.prompts",
    "RateSummary": "tracehouse.statistics",
    "RecordChange": "tracehouse.dataset",
    "RecordDiff": "tracehouse.dataset",
    "Redaction": "tracehouse.reports",
    "RegisteredScorer": "tracehouse.monitoring",
    "Regression": "tracehouse.statistics",
    "Rejected": "tracehouse.reports",
    "RepairReport": "tracehouse.reports",
    "RetentionReport": "tracehouse.reports",
    "ReviewAdded": "tracehouse.reviews",
    "ReviewAnswer": "tracehouse.reviews",
    "ReviewAnswered": "tracehouse.reviews",
    "ReviewInfo": "tracehouse.reviews",
    "ReviewItem": "tracehouse.reviews",
    "ReviewNext": "tracehouse.reviews",
    "ReviewQueue": "tracehouse.reviews",
    "ReviewStatus": "tracehouse.reviews",
    "ReviewerProgress": "tracehouse.reviews",
    "Score": "tracehouse.scoring",
    "Scorer": "tracehouse.scoring",
    "ScorerComparison": "tracehouse.statistics",
    "ScorerInfo": "tracehouse.evaluation",
    "Session": "tracehouse.reports",
    "Sessions": "tracehouse.reports",
    "Span": "tracehouse.trace",
    "SpanEvent": "tracehouse.trace",
    "SpanLink": "tracehouse.trace",
    "SplitReport": "tracehouse.likeness",
    "Stats": "tracehouse.reports",
    "Summary": "tracehouse.statistics",
    "TextHit": "tracehouse.reports",
    "Trace": "tracehouse.trace",
    "TraceInfo": "tracehouse.trace",
    "TracePage": "tracehouse.trace",
    "TraceStart": "tracehouse.trace",
    "VerdictComparison": "tracehouse.statistics",
    "scorer": "tracehouse.scoring",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "scorers":
        return import_module("tracehouse.scorers")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, "scorers"})

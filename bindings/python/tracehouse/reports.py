"""What calls say they did and found: plain dataclasses with the fields of the Rust types of the same name.

Every field is an attribute and, by its name, a member: `report.spans` is `report["spans"]`. Times ending in `_ns` are
Unix nanoseconds, those ending in `_ms` Unix milliseconds; sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tracehouse._record import Record, to_datetime, to_optional_datetime

if TYPE_CHECKING:
    import pandas


@dataclass(slots=True)
class Rejected(Record):
    """Something that was not kept, and where it was."""

    file: str
    """The input."""
    line: int | None
    """1-based line, where there are lines."""
    error: str
    """Why."""


@dataclass(slots=True)
class ImportReport(Record):
    """What an import did."""

    traces: int = 0
    """Traces that were not there before."""
    spans: int = 0
    """Spans that were not there before."""
    duplicate_spans: int = 0
    """Spans that were there already; of two different ones with the same ids the later is kept."""
    assessments: int = 0
    """Assessments that were not there before, or changed."""
    started_traces: int = 0
    """Traces of which the input says more than spans do: tags, metadata, times."""
    forms: dict[str, int] = field(default_factory=dict)
    """How many documents or records there were of each form."""
    rejected: list[Rejected] = field(default_factory=list)
    """What was not kept, the first 100,000 of it."""
    rejected_count: int = 0
    """How much was not kept."""
    dropped_spans: int = 0
    """Spans dropped because the disk could not keep up, as a setting allows."""
    redacted: int = 0
    """Values that redaction replaced, in whole or in part."""
    cut_keys: int = 0
    """Keys of attributes that were cut to 256 bytes."""
    repeated_keys: int = 0
    """Keys that a list of attributes had more than once; the last value is kept."""
    skipped: int = 0
    """Requests of other signals, which hold no traces."""
    log_records: int = 0
    """Log records that were not there before and were kept for their spans."""
    waiting_log_records: int = 0
    """Of those, the records whose span is not there yet."""
    claimed_log_records: int = 0
    """Log records that had waited before for a span that came now."""
    skipped_log_records: dict[str, int] = field(default_factory=dict)
    """Log records that were left out, by the name of their event."""
    incomplete: bool = False
    """Whether the input ended too early: cut short, or no traces at all."""
    bytes: int = 0
    """Bytes of the requests read, decompressed, without line ends."""
    seconds: float = 0.0
    """Wall-clock seconds."""

    def __str__(self) -> str:
        parts = [f"{self.spans} spans of {self.traces} new traces"]
        for count, what in [(self.assessments, "assessments"), (self.rejected_count, "rejected")]:
            if count:
                parts.append(f"{count} {what}")
        return f"{', '.join(parts)} in {self.seconds:.2f} s"


@dataclass(slots=True)
class Stats(Record):
    """What a database holds and uses."""

    traces: int
    """Visible traces."""
    spans: int
    """Visible spans."""
    awaited_spans: int
    """Spans among them that are not there, but log records of them are."""
    assessments: int
    """Visible assessments."""
    datasets: int
    """Datasets."""
    segments: int
    """Live segments."""
    disk_bytes: int
    """Bytes of all files."""
    wal_bytes: int
    """Bytes of the write-ahead log."""
    memtable_bytes: int
    """Bytes of rows held in memory."""
    indexed_spans: int
    """Spans that a text index answers for; the others are scanned."""
    unindexable_segments: int
    """Segments whose text index could not be built; the next open tries again."""
    refused_writes: int
    """Writes refused since the open after they had been logged."""
    dropped_spans: int
    """Spans dropped since the open because the disk could not keep up."""
    cache_bytes: int
    """Bytes of decoded columns held in memory."""
    open_files: int
    """Files of segments that are open."""
    redacted_values: int
    """Values that redaction replaced since the open."""
    redaction_failures: int
    """Texts among them that were replaced because a redaction callback failed on them."""
    min_time_ns: int | None
    """Earliest request, Unix nanoseconds."""
    max_time_ns: int | None
    """Latest request, Unix nanoseconds."""
    format_version: int
    """Version of the on-disk format."""
    maintenance_failure: str | None
    """Why background maintenance last failed since the database was opened, if it did."""

    @property
    def min_time(self) -> datetime | None:
        """Earliest request, UTC."""
        return to_optional_datetime(self.min_time_ns)

    @property
    def max_time(self) -> datetime | None:
        """Latest request, UTC."""
        return to_optional_datetime(self.max_time_ns)


@dataclass(slots=True)
class TextHit(Record):
    """One span that a text search found."""

    trace_id: str
    """Its trace."""
    span_id: str
    """The span."""
    field: str
    """`inputs`, `outputs` or `other`: where the snippet is from."""
    score: float
    """BM25 score over the whole database."""
    snippet: str
    """The best window of the text."""
    highlights: list[tuple[int, int]]
    """Ranges of characters of `snippet` that matched: `snippet[start:end]`."""
    start_time_ns: int
    """Start of the span, Unix nanoseconds."""

    @property
    def start_time(self) -> datetime:
        """Start of the span, UTC."""
        return to_datetime(self.start_time_ns)


@dataclass(slots=True)
class Session(Record):
    """A session and figures over all its traces in the experiments looked at."""

    session_id: str
    """The session."""
    experiment_ids: list[str]
    """The experiments its traces belong to, sorted."""
    user_id: str | None
    """The greatest of its user ids."""
    trace_count: int
    """Its traces."""
    error_count: int
    """Its traces with state `ERROR`."""
    first_request_time_ns: int
    """Request time of its first trace, Unix nanoseconds."""
    last_request_time_ns: int
    """Request time of its last trace, Unix nanoseconds."""
    total_tokens: int | None
    """Total tokens of its traces; `None` when none has any."""
    cost_usd: float | None
    """Cost of its traces in USD; `None` when none has any."""

    @property
    def first_request_time(self) -> datetime:
        """Request time of its first trace, UTC."""
        return to_datetime(self.first_request_time_ns)

    @property
    def last_request_time(self) -> datetime:
        """Request time of its last trace, UTC."""
        return to_datetime(self.last_request_time_ns)


class Sessions(list[Session]):
    """A list of sessions."""

    def to_df(self) -> pandas.DataFrame:
        """One row a session, as a pandas DataFrame; times are `datetime64[ns, UTC]`."""
        import pandas

        df = pandas.DataFrame([session.to_dict() for session in self], columns=list(Session._names()))
        for name in ("first_request_time", "last_request_time"):
            df[name] = pandas.to_datetime(df.pop(f"{name}_ns"), unit="ns", utc=True)
        return df

    def _repr_html_(self) -> str:
        from tracehouse.display import sessions_html

        return sessions_html(self)


@dataclass(slots=True)
class CompletedSession(Record):
    """A session whose last trace is in a span of time."""

    session_id: str
    """The session."""
    first_request_time_ns: int
    """Request time of its first trace, Unix nanoseconds."""
    last_request_time_ns: int
    """Request time of its last trace, Unix nanoseconds."""


@dataclass(slots=True)
class MetricPoint(Record):
    """The values of a metric's aggregations in one group."""

    metric: str
    """The metric."""
    dimensions: dict[str, str]
    """`time_bucket` (ISO 8601, when there is an interval), then the dimensions in the order asked for."""
    values: dict[str, float]
    """The values in the order asked for, by name: `COUNT`, `AVG`, `P99`, ..."""


@dataclass(slots=True)
class FilterCorrelation(Record):
    """How often two filters match, alone and together."""

    npmi: float
    """From -1, never together, over 0, independent, to 1, always together; NaN when a filter matches nothing."""
    npmi_smoothed: float
    """The measure with half a trace added to each of the four cells; NaN when a filter matches nothing."""
    filter1_count: int
    """Traces that match the first filter."""
    filter2_count: int
    """Traces that match the second filter."""
    joint_count: int
    """Traces that match both."""
    total_count: int
    """All traces looked at."""


@dataclass(slots=True)
class Finding(Record):
    """Something that a check found."""

    invariant: str
    """The invariant, such as `I3`."""
    severity: str
    """`damage`, `derived`, `unchecked` or `note`."""
    at: str
    """The file, folder or trace it is about."""
    message: str
    """What is wrong."""


@dataclass(slots=True)
class CheckReport(Record):
    """What a check found and looked at."""

    is_clean: bool
    """Whether all was looked at and there is no damage, neither of data nor of indexes."""
    deep: bool
    """Whether every byte and row was looked at."""
    manifest_version: int | None
    """Version of the manifest that was checked; `None` when it cannot be read."""
    segments: int
    """Live segments."""
    bytes_hashed: int
    """Bytes compared with their hash."""
    log_records: int
    """Records of the log."""
    traces_folded: int
    """Trace rows compared with the fold of their spans."""
    findings: list[Finding]
    """All that is not as it must be, damage first."""


@dataclass(slots=True)
class RepairReport(Record):
    """What a repair did, or would do."""

    applied: bool
    """Whether it was done."""
    quarantine: str | None
    """Where copies of the damaged files are, relative to the database."""
    actions: list[str]
    """Steps, in words."""
    lost: dict[str, Any]
    """What is lost: `spans`, `trace_rows`, `assessments`, `trace_ids`, ..."""
    before: CheckReport
    """The check before."""
    after: CheckReport | None
    """The check after, when the repair was done."""


@dataclass(slots=True)
class BackupReport(Record):
    """What a backup copied."""

    segments: int
    """Segments."""
    catalog_files: int
    """Files of datasets."""
    log_records: int
    """Records of the log."""
    bytes: int
    """Bytes of all files of the copy."""
    manifest_version: int
    """The manifest version that was copied."""


@dataclass(slots=True)
class Compacted(Record):
    """What a compaction merged."""

    segments_before: int
    """Segments merged."""
    segments_after: int
    """Segments they became."""


@dataclass(slots=True)
class EraseReceipt(Record):
    """What an erase did."""

    trace_ids: list[str]
    """The traces, those of an erase that had been interrupted included."""
    deleted: int
    """Of these, how many could still be seen."""
    dataset_versions: int
    """Dataset versions written again."""
    dataset_records: int
    """Records that left them."""
    dataset_texts: int
    """Dataset versions whose query, name or tags said something that identified the traces."""
    scores: int
    """Scores that left evaluation runs."""
    eval_texts: int
    """Evaluation runs whose filter or name said something that identified the traces."""
    review_items: int
    """Items that left review queues."""
    segments: list[str]
    """Segments written again."""
    segment_bytes: int
    """Bytes of the files of those that they replaced."""
    log_bytes: int
    """Bytes of log files that were removed."""
    other_entries: int
    """Entries of `tmp/` and `quarantine/` that were removed."""
    pending: list[str]
    """What could not be removed yet, since a reader holds it."""
    complete: bool
    """Whether nothing is pending; otherwise the next open for writing goes on."""


@dataclass(slots=True)
class RetentionReport(Record):
    """What retention deleted, or would delete."""

    dry_run: bool
    """Whether it was only computed."""
    deleted: dict[str, int]
    """Traces deleted, by experiment."""
    trace_ids: list[str]
    """Their ids, oldest first within their experiment."""
    kept: int
    """Traces that stay."""


@dataclass(slots=True)
class Redaction(Record):
    """What is taken out of everything that is written to a database, before it is written anywhere."""

    names: bool = True
    """Values whose name says that they are secret (`password`, `api_key`, ...)."""
    secrets: bool = False
    """API keys and tokens of well-known shapes, bearer tokens, private keys, anywhere in texts."""
    emails: bool = False
    """E-mail addresses in texts."""
    cards: bool = False
    """Payment card numbers, in texts and as numbers."""
    deny: list[str] = field(default_factory=list)
    """Further names of secret values."""
    allow: list[str] = field(default_factory=list)
    """Keys whose values are never touched."""
    rules: dict[str, str] = field(default_factory=dict)
    """Patterns of your own by the name that stands for their matches: `{"ticket": r"TICKET-\\d+"}`."""
    callback: str | None = None
    """Name of the callback without which nothing may be written; see `connect(redact=...)`."""


@dataclass(slots=True)
class Price(Record):
    """What tokens of a model cost, in USD for a million of them."""

    model: str
    """The model, in lower case."""
    input: float
    """Of the input."""
    output: float
    """Of the output; 0 for models that have none."""
    cache_read: float | None = None
    """Of input that was read from a cache; the price of the input where there is none."""
    cache_write: float | None = None
    """Of input that was written to a cache; the price of the input where there is none."""
    is_seed: bool = False
    """Whether it comes with the program; else it was set in this database."""
    date: str = ""
    """The day it is of, `YYYY-MM-DD`."""


@dataclass(slots=True)
class Convention(Record):
    """One attribute key that is understood."""

    producer: str
    """Who sends it."""
    source: str
    """Where the producer documents its keys."""
    key: str
    """The key; `N` stands for a number and `*` for a name."""
    fills: str
    """What it fills: a column of `spans`, or of `traces` for what a root span says of its trace."""

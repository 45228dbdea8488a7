"""A trace as Python objects: its row, its spans, its assessments.

The native module makes these objects. None of them holds a database: traces can be kept, compared and pickled after it
is closed. A page of them knows how to ask for its rows as a table, and forgets that when it is pickled.

Times ending in `_ns` are Unix nanoseconds, durations nanoseconds; the properties without that ending are `datetime`s in
UTC, cut to microseconds. Absent is `None`, never an empty text or 0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tracehouse._record import Record, to_datetime, to_optional_datetime, to_plain
from tracehouse.span import Message, Span, SpanEvent, SpanLink

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from tracehouse.result import Result

__all__ = [
    "Assessment",
    "Message",
    "Span",
    "SpanEvent",
    "SpanLink",
    "Trace",
    "TraceInfo",
    "TracePage",
    "TraceStart",
]

_NS_PER_MS = 1_000_000


@dataclass(slots=True)
class TraceInfo(Record):
    """The row of a trace: the fold of its spans and what was said of it since. The columns of SQL's table `traces`."""

    trace_id: str
    """The trace."""
    experiment_id: str = "0"
    """The scope it belongs to."""
    name: str | None = None
    """Tag `mlflow.traceName`, a producer's own name of the trace, else the name of the root span."""
    state: str = "STATE_UNSPECIFIED"
    """`OK`, `ERROR`, `IN_PROGRESS` or `STATE_UNSPECIFIED`."""
    request_time_ns: int = 0
    """Earliest span start, Unix nanoseconds."""
    end_time_ns: int | None = None
    """Latest span end, Unix nanoseconds."""
    duration_ns: int | None = None
    """From `request_time` to `end_time`, nanoseconds."""
    service_name: str | None = None
    """Service of the root span, else of the first span."""
    session_id: str | None = None
    """Session of the root span, else of the first span that has one."""
    user_id: str | None = None
    """User of the root span, else of the first span that has one."""
    client_request_id: str | None = None
    """The client's own id of the request."""
    request_preview: str | None = None
    """Start of what was asked."""
    response_preview: str | None = None
    """Start of what was answered."""
    span_count: int = 0
    """Number of spans."""
    error_span_count: int = 0
    """Number of spans with status `ERROR`."""
    input_tokens: int | None = None
    """Input tokens; no span is counted twice."""
    output_tokens: int | None = None
    """Output tokens."""
    total_tokens: int | None = None
    """Total tokens."""
    cache_read_input_tokens: int | None = None
    """Input tokens read from a cache."""
    cache_creation_input_tokens: int | None = None
    """Input tokens written to a cache."""
    cost_usd: float | None = None
    """Cost in USD."""
    models: list[str] = field(default_factory=list)
    """Models used, distinct and sorted."""
    tags: dict[str, str] = field(default_factory=dict)
    """Mutable labels."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Set at start."""
    root_span_id: str | None = None
    """The root span; while there is none, the top span that stands for it."""

    @property
    def request_time(self) -> datetime:
        """Earliest span start, UTC."""
        return to_datetime(self.request_time_ns)

    @property
    def end_time(self) -> datetime | None:
        """Latest span end, UTC."""
        return to_optional_datetime(self.end_time_ns)

    @property
    def duration_ms(self) -> float | None:
        """From `request_time` to `end_time`, milliseconds."""
        return None if self.duration_ns is None else self.duration_ns / _NS_PER_MS


@dataclass(slots=True)
class TraceStart(Record):
    """What a producer says of a trace as a whole; see `Database.start_trace`."""

    trace_id: str
    """The trace; `tr-` and 32 hex digits mean the 32 digits."""
    request_time: datetime | date | str | int | None = None
    """When it began; now, unless told otherwise."""
    experiment_id: str = "0"
    """The scope it belongs to."""
    duration_ms: float | None = None
    """How long it took, milliseconds."""
    state: str = "STATE_UNSPECIFIED"
    """`OK`, `ERROR`, `IN_PROGRESS` or `STATE_UNSPECIFIED`."""
    finalised: bool = True
    """Whether duration and state are settled: spans do not change them then."""
    name: str | None = None
    """The trace's name."""
    client_request_id: str | None = None
    """The client's own id of the request."""
    request_preview: str | None = None
    """What was asked, cut to 1,000 characters."""
    response_preview: str | None = None
    """What was answered, cut likewise."""
    session_id: str | None = None
    """The session."""
    user_id: str | None = None
    """The user."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags at the start; one that a user sets or deletes goes before."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Metadata."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """Tokens and costs, by the names that `start_trace` has."""


@dataclass(slots=True)
class Assessment(Record):
    """A feedback, an expectation or an issue on a trace. The columns of SQL's table `assessments`."""

    assessment_id: str
    """`a-` and 32 hex digits, unless the caller gave one."""
    trace_id: str
    """The assessed trace."""
    name: str
    """Assessment name."""
    value: Any = None
    """The value, as JSON has it: a text, a number, a truth value, a list, an object, `None`."""
    type: str = "feedback"
    """`feedback`, `expectation` or `issue`."""
    span_id: str | None = None
    """The assessed span, when it is about one."""
    source_type: str = "SOURCE_TYPE_UNSPECIFIED"
    """`HUMAN`, `LLM_JUDGE`, `CODE` or `SOURCE_TYPE_UNSPECIFIED`."""
    source_id: str | None = None
    """Who or what judged."""
    rationale: str | None = None
    """Why."""
    error_code: str | None = None
    """Code of the error that kept the scorer from a value."""
    error_message: str | None = None
    """Its message."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Free key-value pairs."""
    overrides: str | None = None
    """The id of the assessment that this one overrides."""
    valid: bool = True
    """False once overridden."""
    created_at_ns: int = 0
    """Unix nanoseconds."""
    updated_at_ns: int = 0
    """Unix nanoseconds."""

    @property
    def created_at(self) -> datetime:
        """When it was made, UTC."""
        return to_datetime(self.created_at_ns)

    @property
    def updated_at(self) -> datetime:
        """When it was last changed, UTC."""
        return to_datetime(self.updated_at_ns)


@dataclass(slots=True)
class Trace:
    """A trace with all its spans and assessments."""

    info: TraceInfo
    """Its row."""
    spans: list[Span] = field(default_factory=list)
    """Its spans, by start and then by id; empty where they were not asked for."""
    assessments: list[Assessment] = field(default_factory=list)
    """Its assessments, oldest first, overridden ones included."""

    @property
    def trace_id(self) -> str:
        """Its id."""
        return self.info.trace_id

    @property
    def root(self) -> Span | None:
        """The span whose inputs and outputs are the trace's; `None` where there is none, or spans were not asked
        for."""
        return self.span(self.info.root_span_id)

    def span(self, span_id: str | None) -> Span | None:
        """The span with this id."""
        return next((span for span in self.spans if span.span_id == span_id), None)

    def children(self, span_id: str | None = None) -> list[Span]:
        """The spans below a span in order of start; without an id, those whose parent is not in the trace."""
        if span_id is not None:
            return [span for span in self.spans if span.parent_span_id == span_id and span.span_id != span_id]
        ids = {span.span_id for span in self.spans}
        return [span for span in self.spans if span.parent_span_id not in ids or span.parent_span_id == span.span_id]

    def to_dict(self) -> dict[str, Any]:
        """`{"info": {..}, "spans": [{..}], "assessments": [{..}]}` with every field, as JSON can have it."""
        return {
            "info": self.info.to_dict(),
            "spans": to_plain(self.spans),
            "assessments": to_plain(self.assessments),
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    def to_otlp(self) -> dict[str, Any]:
        """The spans as an OTLP/JSON `ExportTraceServiceRequest`, every attribute typed as it came. `import_otlp` reads
        it, and so does any OTLP receiver, as `json.dumps(trace.to_otlp())`."""
        from tracehouse._otlp import request_of

        return request_of(self.spans)

    def __str__(self) -> str:
        from tracehouse._tree import tree_text

        return tree_text(self)

    def __repr__(self) -> str:
        info = self.info
        return f"Trace({info.trace_id!r}, {info.name!r}, {info.state}, {info.span_count} spans)"

    def _repr_html_(self) -> str:
        from tracehouse.display import trace_html

        return trace_html(self)


class TracePage(list[Trace]):
    """One page of a search: a list of traces, in order.

    Attributes:
        next_page_token: continues after the last of them in `search_traces(page_token=...)`; `None` when there is no
            more.
    """

    next_page_token: str | None

    def __init__(
        self,
        traces: Iterable[Trace] = (),
        next_page_token: str | None = None,
        *,
        _rows_of: Callable[[list[str]], Result] | None = None,
    ) -> None:
        super().__init__(traces)
        self.next_page_token = next_page_token
        self._rows_of = _rows_of

    def to_arrow(self) -> pyarrow.Table:
        """The rows of the page with every column of SQL's table `traces`, as a pyarrow Table.

        Rows are those of the traces as they are now: one that was deleted since the search has none.
        """
        return self._result().arrow()

    def to_df(self) -> pandas.DataFrame:
        """The rows of the page with every column of SQL's table `traces`, as a pandas DataFrame; see `to_arrow`."""
        return self._result().df()

    def to_polars(self) -> polars.DataFrame:
        """The rows of the page with every column of SQL's table `traces`, as a polars DataFrame; see `to_arrow`."""
        return self._result().pl()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._result().__arrow_c_stream__(requested_schema)

    def _result(self) -> Result:
        if self._rows_of is None:
            raise TypeError("this page was not made by a search: it has no rows of a database")
        return self._rows_of([trace.trace_id for trace in self])

    def __repr__(self) -> str:
        more = "" if self.next_page_token is None else ", more"
        return f"TracePage({len(self)} traces{more})"

    def __reduce__(self) -> Any:
        return (TracePage, (list(self), self.next_page_token))

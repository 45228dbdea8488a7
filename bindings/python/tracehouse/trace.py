"""A trace as Python objects: its row, its spans, its assessments.

The native module makes these objects; a program may make spans of its own for `Database.append`. Nothing here holds a
database: traces can be kept, compared and pickled after it is closed.

Times ending in `_ns` are Unix nanoseconds, durations nanoseconds; the properties without that ending are `datetime`s in
UTC, cut to microseconds. Absent is `None`, never an empty text or 0.

Invariant: the JSON texts of a span (attributes, resource, events, links) are parsed when they are first asked for, so
that a page of traces does not cost what nobody looks at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tracehouse import _native
from tracehouse._record import Record, to_datetime, to_optional_datetime, to_plain

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from tracehouse.database import Database

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
class SpanEvent(Record):
    """A point inside a span."""

    name: str
    """Event name."""
    time_ns: int = 0
    """Unix nanoseconds."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Its attributes, typed."""

    @property
    def time(self) -> datetime:
        """When it was, UTC."""
        return to_datetime(self.time_ns)


@dataclass(slots=True)
class SpanLink(Record):
    """A link to another span."""

    trace_id: str
    """Trace of the linked span."""
    span_id: str
    """The linked span."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Its attributes, typed."""


@dataclass(slots=True)
class Message(Record):
    """One message of what a span was given or gave, as a chat shows it."""

    direction: str
    """`input` or `output`."""
    index: int
    """Its place among those of its direction, from 0."""
    role: str
    """`system`, `user`, `assistant`, `tool`, `document`, or the producer's own word in lower case."""
    content: str | None
    """What it says, decoded; calls of tools as `name(arguments)`; `None` when it says nothing."""


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


def _event(value: Any) -> SpanEvent:
    return value if isinstance(value, SpanEvent) else SpanEvent(**value)


def _link(value: Any) -> SpanLink:
    return value if isinstance(value, SpanLink) else SpanLink(**value)


def _parsed(text: str) -> Any:
    return json.loads(text)


class Span(Record):
    """One span of a trace. The columns of SQL's table `spans`.

    `inputs` and `outputs` are texts as the producer sent them, JSON where it sent structure; `input_value` and
    `output_value` are the same as Python values. A span given to `Database.append` needs `trace_id`, `span_id` and
    `name`; model, tokens, cost and the like are read from its `attributes` where they are not said.
    """

    __slots__ = (
        "_attributes",
        "_events",
        "_extra",
        "_links",
        "_resource",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cost_source",
        "cost_usd",
        "end_time_ns",
        "experiment_id",
        "input_tokens",
        "inputs",
        "kind",
        "model",
        "name",
        "operation",
        "output_tokens",
        "outputs",
        "parent_span_id",
        "provider",
        "scope_name",
        "scope_version",
        "service_name",
        "session_id",
        "span_id",
        "span_type",
        "start_time_ns",
        "status",
        "status_message",
        "tool_name",
        "total_tokens",
        "trace_id",
        "user_id",
    )

    _FIELDS = (
        "trace_id",
        "span_id",
        "parent_span_id",
        "experiment_id",
        "session_id",
        "user_id",
        "name",
        "span_type",
        "kind",
        "status",
        "status_message",
        "start_time_ns",
        "end_time_ns",
        "service_name",
        "scope_name",
        "scope_version",
        "operation",
        "model",
        "provider",
        "tool_name",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cost_usd",
        "cost_source",
        "inputs",
        "outputs",
        "attributes",
        "resource",
        "events",
        "links",
        "extra",
    )

    def __init__(
        self,
        trace_id: str,
        span_id: str,
        name: str = "",
        *,
        parent_span_id: str | None = None,
        experiment_id: str = "0",
        session_id: str | None = None,
        user_id: str | None = None,
        span_type: str = "UNKNOWN",
        kind: str = "INTERNAL",
        status: str = "UNSET",
        status_message: str | None = None,
        start_time_ns: int = 0,
        end_time_ns: int | None = None,
        service_name: str | None = None,
        scope_name: str | None = None,
        scope_version: str | None = None,
        operation: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        tool_name: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        total_tokens: int | None = None,
        cache_read_input_tokens: int | None = None,
        cache_creation_input_tokens: int | None = None,
        cost_usd: float | None = None,
        cost_source: str | None = None,
        inputs: str | None = None,
        outputs: str | None = None,
        attributes: Mapping[str, Any] | str | None = None,
        resource: Mapping[str, Any] | str | None = None,
        events: Iterable[SpanEvent | Mapping[str, Any]] = (),
        links: Iterable[SpanLink | Mapping[str, Any]] = (),
        extra: Mapping[str, Any] | str | None = None,
    ) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.name = name
        self.parent_span_id = parent_span_id
        self.experiment_id = experiment_id
        self.session_id = session_id
        self.user_id = user_id
        self.span_type = span_type
        self.kind = kind
        self.status = status
        self.status_message = status_message
        self.start_time_ns = start_time_ns
        self.end_time_ns = end_time_ns
        self.service_name = service_name
        self.scope_name = scope_name
        self.scope_version = scope_version
        self.operation = operation
        self.model = model
        self.provider = provider
        self.tool_name = tool_name
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.total_tokens = total_tokens
        self.cache_read_input_tokens = cache_read_input_tokens
        self.cache_creation_input_tokens = cache_creation_input_tokens
        self.cost_usd = cost_usd
        self.cost_source = cost_source
        self.inputs = inputs
        self.outputs = outputs
        self._attributes: Any = attributes
        self._resource: Any = resource
        self._events: Any = events
        self._links: Any = links
        self._extra: Any = extra

    @property
    def attributes(self) -> dict[str, Any]:
        """Every attribute as received, typed. Bytes are `{"$bytes": BASE64}`, and numbers that JSON has not
        `{"$double": "NaN"}`, as in the SQL column."""
        if type(self._attributes) is not dict:
            self._attributes = _object(self._attributes)
        found: dict[str, Any] = self._attributes
        return found

    @property
    def resource(self) -> dict[str, Any]:
        """Every attribute of the resource, typed."""
        if type(self._resource) is not dict:
            self._resource = _object(self._resource)
        found: dict[str, Any] = self._resource
        return found

    @property
    def events(self) -> list[SpanEvent]:
        """Points inside the span."""
        if type(self._events) is not list:
            given = _parsed(self._events) if isinstance(self._events, str) else self._events
            self._events = [_event(event) for event in given]
        found: list[SpanEvent] = self._events
        return found

    @property
    def links(self) -> list[SpanLink]:
        """Links to other spans."""
        if type(self._links) is not list:
            given = _parsed(self._links) if isinstance(self._links, str) else self._links
            self._links = [_link(link) for link in given]
        found: list[SpanLink] = self._links
        return found

    @property
    def extra(self) -> dict[str, Any] | None:
        """The remaining OTLP fields (trace state, flags, dropped counts, ...), `None` when all have their default."""
        if self._extra is not None and type(self._extra) is not dict:
            self._extra = _object(self._extra)
        found: dict[str, Any] | None = self._extra
        return found

    @property
    def start_time(self) -> datetime:
        """When it began, UTC."""
        return to_datetime(self.start_time_ns)

    @property
    def end_time(self) -> datetime | None:
        """When it ended, UTC; `None` while it is open."""
        return to_optional_datetime(self.end_time_ns)

    @property
    def duration_ns(self) -> int | None:
        """From start to end, nanoseconds, never negative; `None` while it is open."""
        return None if self.end_time_ns is None else max(self.end_time_ns - self.start_time_ns, 0)

    @property
    def duration_ms(self) -> float | None:
        """From start to end, milliseconds."""
        duration_ns = self.duration_ns
        return None if duration_ns is None else duration_ns / _NS_PER_MS

    @property
    def input_value(self) -> Any:
        """The inputs as a Python value: parsed where they are JSON, else the text."""
        return _value(self.inputs)

    @property
    def output_value(self) -> Any:
        """The outputs as a Python value: parsed where they are JSON, else the text."""
        return _value(self.outputs)

    def messages(self) -> list[Message]:
        """What it was given and gave as messages of a chat, as SQL's view `messages` has them; empty where there are
        none."""
        return [Message(*message) for message in _native.read_messages(self.span_type, self.inputs, self.outputs)]

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return cls._FIELDS

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Span):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._FIELDS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Span({self.name!r}, {self.span_type}, {self.status}, span_id={self.span_id!r})"


def _object(given: Mapping[str, Any] | str | None) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, str):
        parsed: dict[str, Any] = _parsed(given)
        return parsed
    return dict(given)


def _value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return _parsed(text)
    except ValueError:
        return text


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
        """The span whose inputs and outputs are the trace's; `None` where there is none, or spans were not asked for."""
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
        next_page_token: continues after the last of them in `search_traces(page_token=...)`; `None` when there is no more.
    """

    next_page_token: str | None

    def __init__(
        self, traces: Iterable[Trace] = (), next_page_token: str | None = None, *, _database: Database | None = None
    ) -> None:
        super().__init__(traces)
        self.next_page_token = next_page_token
        self._database = _database

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

    def _result(self) -> Any:
        if self._database is None:
            raise TypeError("this page was not made by a search: it has no rows of a database")
        return self._database._trace_rows([trace.trace_id for trace in self])

    def __repr__(self) -> str:
        more = "" if self.next_page_token is None else ", more"
        return f"TracePage({len(self)} traces{more})"

    def __reduce__(self) -> Any:
        return (TracePage, (list(self), self.next_page_token))

"""A span as a Python object, with its events, links and messages.

The native module makes spans of what is stored; a program may make its own for `Database.append`. Times ending in `_ns`
are Unix nanoseconds; the properties without that ending are `datetime`s in UTC, cut to microseconds.

Invariant: the JSON texts of a span (attributes, resource, events, links) are parsed when they are first asked for, so
that a page of traces does not cost what nobody looks at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tracehouse import _native
from tracehouse._record import Record, to_datetime, to_optional_datetime

_NS_PER_MS = 1_000_000


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


class _Made(list[Any]):
    """A list whose items are objects already."""

    __slots__ = ()


def _event(value: SpanEvent | Mapping[str, Any]) -> SpanEvent:
    if isinstance(value, SpanEvent):
        return value
    return SpanEvent(**{**value, "attributes": _object(value.get("attributes"))})


def _link(value: SpanLink | Mapping[str, Any]) -> SpanLink:
    if isinstance(value, SpanLink):
        return value
    return SpanLink(**{**value, "attributes": _object(value.get("attributes"))})


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

# Given as text or as values, and parsed when they are asked for.
_PARSED = {"attributes", "resource", "events", "links", "extra"}


class Span(Record):
    """One span of a trace. The columns of SQL's table `spans`.

    `inputs` and `outputs` are texts as the producer sent them, JSON where it sent structure; `input_value` and
    `output_value` are the same as Python values. A span given to `Database.append` needs `trace_id`, `span_id` and
    `name`; model, tokens, cost and the like are read from its `attributes` where they are not said.
    """

    __slots__ = tuple(f"_{name}" if name in _PARSED else name for name in _FIELDS)

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
        if type(self._events) is not _Made:
            self._events = _Made(_event(event) for event in self._events)
        found: list[SpanEvent] = self._events
        return found

    @property
    def links(self) -> list[SpanLink]:
        """Links to other spans."""
        if type(self._links) is not _Made:
            self._links = _Made(_link(link) for link in self._links)
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
        said = _native.read_messages(self.span_type, self.inputs, self.outputs, self._telling())
        return [Message(*message) for message in said]

    def _telling(self) -> str:
        """The attributes that have instructions and messages beside inputs and outputs, as JSON."""
        prefixes = ("gen_ai.", "llm.")
        telling = {
            key: value
            for key, value in self.attributes.items()
            if key.startswith(prefixes) and isinstance(value, (str, list, dict))
        }
        return json.dumps(telling, ensure_ascii=False)

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return _FIELDS

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Span):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Span({self.name!r}, {self.span_type}, {self.status}, span_id={self.span_id!r})"


def _object(given: Mapping[str, Any] | str | None) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, str):
        parsed: dict[str, Any] = json.loads(given)
        return parsed
    return dict(given)


def _value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text

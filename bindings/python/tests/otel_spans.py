"""Spans of the SDK for tests: any that it can hold, made by hypothesis, and what the official encoder makes of them."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

TIME_NS = 1_700_000_000_000_000_000

# Names that fill typed columns stand among any others.
_KNOWN_KEYS = st.sampled_from(
    [
        "gen_ai.request.model",
        "gen_ai.usage.input_tokens",
        "gen_ai.operation.name",
        "gen_ai.input.messages",
        "input.value",
        "output.value",
        "openinference.span.kind",
        "session.id",
        "user.id",
        "mlflow.spanType",
        "mlflow.traceTag.env",
        "$bytes",
        "password",
    ]
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_KEYS = _KNOWN_KEYS | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 3.0]),
    _TEXTS,
    st.binary(max_size=12),
    st.none(),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(_KEYS, VALUES, max_size=6)
_IDS = st.integers(1, 2**64 - 1)
_TRACE_IDS = st.sampled_from([2**128 - 1, 1, 0xABCDEF << 90])
_STATES = st.sampled_from([TraceState(), TraceState([("vendor", "a:b"), ("rojo", "00f067")])])


def _bounded(attributes: dict[str, Any], dropped: int) -> BoundedAttributes:
    kept = BoundedAttributes(attributes=attributes)
    kept.dropped += dropped
    return kept


def _list(items: list[Any], dropped: int) -> BoundedList:
    kept = BoundedList.from_seq(128, items)
    kept.dropped += dropped
    return kept


_DROPPED = st.sampled_from([0, 0, 0, 3])
_CONTEXTS = st.builds(
    SpanContext, _TRACE_IDS, _IDS, st.booleans(), st.just(TraceFlags(TraceFlags.SAMPLED)), trace_state=_STATES
)
_BOUNDED = st.builds(_bounded, ATTRIBUTES, _DROPPED)
_EVENTS = st.builds(Event, _TEXTS, _BOUNDED, st.integers(0, TIME_NS))
_LINKS = st.builds(Link, _CONTEXTS, _BOUNDED)
# The encoder hashes resources by their JSON, which bytes have none of.
_PLAIN = st.dictionaries(_KEYS, _TEXTS | st.integers(-(2**63), 2**63 - 1) | st.lists(_TEXTS, max_size=2), max_size=3)
_RESOURCES = st.builds(Resource, _PLAIN, st.sampled_from(["", "https://opentelemetry.io/schemas/1.30.0"]))
_SCOPES = st.builds(
    InstrumentationScope,
    _TEXTS,
    st.none() | _TEXTS,
    st.sampled_from(["", "https://example.com/schema"]),
    st.dictionaries(_KEYS, _TEXTS, max_size=2),
)
_STATUSES = st.sampled_from([Status(), Status(StatusCode.OK), Status(StatusCode.ERROR, "it broke")])


@st.composite
def spans(draw: st.DrawFn) -> list[ReadableSpan]:
    """A batch: spans of a few resources and scopes, mixed, with ids that differ."""
    resources = draw(st.lists(_RESOURCES, min_size=1, max_size=2))
    scopes = draw(st.lists(_SCOPES | st.none(), min_size=1, max_size=2))
    ids = draw(st.lists(_IDS, min_size=1, max_size=5, unique=True))
    return [draw(_span(span_id, st.sampled_from(resources), st.sampled_from(scopes))) for span_id in ids]


@st.composite
def _span(draw: st.DrawFn, span_id: int, resources: Any, scopes: Any) -> ReadableSpan:
    drawn = draw(_CONTEXTS)
    context = SpanContext(drawn.trace_id, span_id, False, drawn.trace_flags, drawn.trace_state)
    start = draw(st.integers(0, TIME_NS))
    return ReadableSpan(
        name=draw(_TEXTS),
        context=context,
        parent=draw(st.none() | _CONTEXTS.filter(lambda parent: parent.span_id != span_id)),
        resource=draw(resources),
        attributes=draw(_BOUNDED),
        events=draw(st.builds(_list, st.lists(_EVENTS, max_size=2), _DROPPED)),
        links=draw(st.builds(_list, st.lists(_LINKS, max_size=2), _DROPPED)),
        kind=draw(st.sampled_from(SpanKind)),
        status=draw(_STATUSES),
        start_time=start,
        end_time=start + draw(st.integers(0, 10**9)),
        instrumentation_scope=draw(scopes),
    )


@st.composite
def records(draw: st.DrawFn) -> list[Any]:
    """Log records of spans and of none, of one resource."""
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import ReadableLogRecord

    made = st.builds(
        LogRecord,
        timestamp=st.none() | st.integers(0, TIME_NS),
        observed_timestamp=st.integers(0, TIME_NS),
        context=st.none(),
        severity_text=st.none() | _TEXTS,
        severity_number=st.none() | st.sampled_from(SeverityNumber),
        body=VALUES,
        attributes=ATTRIBUTES,
        event_name=st.none() | _TEXTS,
    )
    resource, scope = draw(_RESOURCES), draw(_SCOPES)
    found = []
    for record in draw(st.lists(made, min_size=1, max_size=4)):
        record.trace_id, record.span_id = draw(_TRACE_IDS | st.just(0)), draw(_IDS | st.just(0))
        record.trace_flags = TraceFlags(draw(st.sampled_from([0, 1])))
        found.append(ReadableLogRecord(record, resource, scope))
    return found


def outline(request: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """A request's spans, each with its resource and scope, in the order of their ids: bytes, so that NaN equals NaN."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    parsed = ExportTraceServiceRequest.FromString(request)
    found = []
    for of_resource in parsed.resource_spans:
        resource = of_resource.resource.SerializeToString(deterministic=True) + of_resource.schema_url.encode()
        for of_scope in of_resource.scope_spans:
            scope = of_scope.scope.SerializeToString(deterministic=True) + of_scope.schema_url.encode()
            found += [(span.SerializeToString(deterministic=True), resource, scope) for span in of_scope.spans]
    return sorted(found)


def outline_of_logs(request: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """The same of log records."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    found = []
    for of_resource in ExportLogsServiceRequest.FromString(request).resource_logs:
        resource = of_resource.resource.SerializeToString(deterministic=True) + of_resource.schema_url.encode()
        for of_scope in of_resource.scope_logs:
            scope = of_scope.scope.SerializeToString(deterministic=True) + of_scope.schema_url.encode()
            found += [
                (record.SerializeToString(deterministic=True), resource, scope) for record in of_scope.log_records
            ]
    return sorted(found)

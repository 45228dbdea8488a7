"""Spans and infos for tests, in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mlflow.entities import Expectation, Feedback, IssueReference, Span, TraceInfo, TraceLocation, TraceState
from mlflow.tracing.utils import build_otel_context, dump_span_attribute_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

MS_NS = 1_000_000

AnyAssessment = TypeVar("AnyAssessment", Feedback, Expectation, IssueReference)


def trace_id(number: int) -> str:
    """The id of a trace by its number."""
    return f"tr-{number:032x}"


def span(
    trace: str,
    number: int,
    name: str = "root",
    *,
    parent: int | None = None,
    start_ms: float = 1_000,
    end_ms: float | None = 1_010,
    span_type: str | None = None,
    inputs: Any = None,
    outputs: Any = None,
    attributes: Mapping[str, Any] | None = None,
    texts: Mapping[str, Any] | None = None,
    status: str = "OK",
    message: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    events: Sequence[Event] = (),
    links: Sequence[Link] = (),
    resource: Mapping[str, Any] | None = None,
) -> Span:
    """A finished span, whose id is a number; `texts` are attributes as they are, all others become JSON texts."""
    values = {"mlflow.traceRequestId": trace, "mlflow.spanType": span_type, "mlflow.spanInputs": inputs}
    values.update({"mlflow.spanOutputs": outputs, **(attributes or {})})
    kept = {key: dump_span_attribute_value(value) for key, value in values.items() if value is not None}
    digits = trace.removeprefix("tr-")
    otel_id = int(digits, 16) if len(digits) == 32 else int.from_bytes(trace.encode(), "big")
    return Span(
        ReadableSpan(
            name=name,
            context=build_otel_context(otel_id, number),
            parent=None if parent is None else build_otel_context(otel_id, parent),
            kind=kind,
            start_time=int(start_ms * MS_NS),
            end_time=None if end_ms is None else int(end_ms * MS_NS),
            attributes={**kept, **(texts or {})},
            status=Status(StatusCode[status], message),
            events=events,
            links=links,
            resource=Resource(resource or {}),
        )
    )


def info(
    trace: str,
    ms: int = 1_000,
    duration_ms: int | None = 10,
    state: str = "OK",
    *,
    experiment: str = "1",
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    **others: Any,
) -> TraceInfo:
    """The info of a trace."""
    named = {} if name is None else {"mlflow.traceName": name}
    return TraceInfo(
        trace_id=trace,
        trace_location=TraceLocation.from_experiment_id(experiment),
        request_time=ms,
        execution_duration=duration_ms,
        state=TraceState(state),
        tags={**named, **(tags or {})},
        trace_metadata=dict(metadata or {}),
        **others,
    )


def feedback(trace: str, assessment_id: str, name: str, value: Any = None, **others: Any) -> Feedback:
    """Feedback with a known id and known times."""
    return _known(Feedback(name=name, value=value, trace_id=trace, **others), assessment_id)


def expectation(trace: str, assessment_id: str, name: str, value: Any, **others: Any) -> Expectation:
    """An expectation with a known id and known times."""
    return _known(Expectation(name=name, value=value, trace_id=trace, **others), assessment_id)


def issue(trace: str, assessment_id: str, issue_id: str, name: str, **others: Any) -> IssueReference:
    """A reference to an issue with a known id and known times."""
    return _known(IssueReference(issue_id=issue_id, issue_name=name, trace_id=trace, **others), assessment_id)


def _known(made: AnyAssessment, assessment_id: str) -> AnyAssessment:
    made.assessment_id = assessment_id
    made.create_time_ms = made.last_update_time_ms = 5_000
    return made

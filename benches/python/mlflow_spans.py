"""Traces of the generator's files as MLflow's entities: its client's spans, what it says of a trace, assessments."""

from __future__ import annotations

import json
import time

from mlflow.entities import Assessment, Span, TraceInfo, TraceLocation, TraceState
from mlflow.tracing.utils import build_otel_context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanKind, Status, StatusCode

TAG = "mlflow.traceTag."
KINDS = (SpanKind.INTERNAL, SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER)
STATUSES = (StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR)


def value_of(given):
    [(kind, value)] = given.items()
    if kind == "arrayValue":
        return [value_of(item) for item in value.get("values", ())]
    return int(value) if kind == "intValue" else value


def values_of(attributes):
    return {item["key"]: value_of(item["value"]) for item in attributes}


def span_of(given, resource):
    """A span as MLflow's client leaves it: every attribute a JSON text, as those of MLflow are in the file already."""
    trace_id = int(given["traceId"], 16)
    parent = given.get("parentSpanId")
    attributes = {"mlflow.traceRequestId": json.dumps(f"tr-{given['traceId']}")}
    for key, value in values_of(given["attributes"]).items():
        told = key.startswith("mlflow.") and not key.startswith(TAG)
        attributes[key] = value if told else json.dumps(value, ensure_ascii=False)
    events = [Event(e["name"], values_of(e["attributes"]), int(e["timeUnixNano"])) for e in given.get("events", ())]
    return Span(
        ReadableSpan(
            name=given["name"],
            context=build_otel_context(trace_id, int(given["spanId"], 16)),
            parent=build_otel_context(trace_id, int(parent, 16)) if parent else None,
            kind=KINDS[given["kind"]],
            start_time=int(given["startTimeUnixNano"]),
            end_time=int(given["endTimeUnixNano"]),
            attributes=attributes,
            status=Status(STATUSES[given["status"]["code"]], given["status"].get("message")),
            events=events,
            resource=resource,
        )
    )


def requests_of(data):
    """The spans of each request of the file; a request has whole traces, children before their root."""
    with (data / "otlp.jsonl").open() as lines:
        for line in lines:
            for part in json.loads(line)["resourceSpans"]:
                resource = Resource(values_of(part["resource"]["attributes"]))
                yield [span_of(span, resource) for scope in part["scopeSpans"] for span in scope["spans"]]


def info_of(root):
    """What the client says of a trace when its root span has ended."""
    told = root.attributes
    tags = {key.removeprefix(TAG): value for key, value in told.items() if key.startswith(TAG)}
    failed = root.status.status_code.value == "ERROR"
    return TraceInfo(
        trace_id=root.trace_id,
        trace_location=TraceLocation.from_experiment_id("1"),
        request_time=root.start_time_ns // 1_000_000,
        execution_duration=root.end_time_ns // 1_000_000 - root.start_time_ns // 1_000_000,
        state=TraceState.ERROR if failed else TraceState.OK,
        request_preview=json.dumps(root.inputs)[:1_000],
        response_preview=json.dumps(root.outputs)[:1_000],
        trace_metadata={"mlflow.trace.session": told["session.id"], "mlflow.trace.user": told["user.id"]},
        tags={"mlflow.traceName": root.name, **tags},
    )


def assessments_of(data, known):
    """The assessments of the traces whose ids are known."""
    given = []
    for line in (data / "assessments.jsonl").read_text().splitlines():
        told = json.loads(line)
        told["trace_id"] = f"tr-{told['trace_id']}"
        if told["trace_id"] in known:
            ms = told.pop("create_time_ms")
            when = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000))}.{ms % 1000:03}Z"
            told.update(create_time=when, last_update_time=when, valid=True)
            given.append(Assessment.from_dictionary(told))
    return given

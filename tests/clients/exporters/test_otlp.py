"""The exporters of OpenTelemetry's SDK for Python, over HTTP and gRPC."""

import threading

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from stored import canonical, stored_spans

import grpc

WAYS = [
    ("http", Compression.NoCompression),
    ("http", Compression.Gzip),
    ("http", Compression.Deflate),
    ("grpc", grpc.Compression.NoCompression),
    ("grpc", grpc.Compression.Gzip),
    ("grpc", grpc.Compression.Deflate),
]


def exporter(server, way, compression, **more):
    if way == "http":
        return HttpExporter(endpoint=f"{server.http}/v1/traces", compression=compression, **more)
    return GrpcExporter(endpoint=server.grpc, insecure=True, compression=compression, **more)


def make_spans(tracer, number):
    asked = {"input.value": f"question {number}: 東京は雨?", "user.id": "ü1", "empty": "", "none": []}
    with tracer.start_as_current_span("agent", attributes=asked) as root:
        with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT) as call:
            call.set_attribute("gen_ai.request.model", "gpt-4o")
            call.set_attribute("gen_ai.usage.input_tokens", 12)
            call.set_attribute("scores", [0.5, 1.5])
            call.add_event("token", {"at": 3, "text": 'Ça – "oui"\n\\ 🌧'})
            call.add_link(root.get_span_context(), {"yes": True, "largest": 2**63 - 1})
        if number % 3 == 0:
            root.set_status(StatusCode.ERROR, "no answer – ∅")


def recorded_spans(spans):
    """What a database should have of what the SDK recorded."""
    wanted = {}
    for span in spans:
        events = [
            {"name": event.name, "time": str(event.timestamp), "attributes": canonical(dict(event.attributes))}
            for event in span.events
        ]
        links = [{**ids(link.context), "attributes": canonical(dict(link.attributes))} for link in span.links]
        of_span = ids(span.context)
        wanted[of_span["span_id"]] = {
            **of_span,
            "parent_span_id": ids(span.parent)["span_id"] if span.parent else None,
            "name": span.name,
            "kind": span.kind.name,
            "status": span.status.status_code.name,
            "status_message": span.status.description,
            "start_time": str(span.start_time),
            "end_time": str(span.end_time),
            "scope": [span.instrumentation_scope.name, span.instrumentation_scope.version],
            "attributes": canonical(dict(span.attributes)),
            "resource": canonical(dict(span.resource.attributes)),
            "events": events,
            "links": links,
        }
    return wanted


def ids(context):
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


@pytest.mark.parametrize(("way", "compression"), WAYS, ids=[f"{way}-{compression.name}" for way, compression in WAYS])
def test_spans_of_the_sdk_arrive_whole(server, way, compression):
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(BatchSpanProcessor(exporter(server, way, compression)))
    recorder = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(recorder))
    tracer = provider.get_tracer("tests", "1.0")
    threads = [threading.Thread(target=make_spans, args=(tracer, number)) for number in range(30)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    provider.force_flush()
    assert stored_spans(server) == recorded_spans(recorder.get_finished_spans())
    [counted] = server.rows(
        "SELECT count(*) AS spans, count(DISTINCT trace_id) AS traces, sum(input_tokens) AS tokens,"
        " count(*) FILTER (WHERE model = 'gpt-4o') AS calls FROM spans WHERE service_name = 'shop'"
    )
    assert counted == {"spans": 60, "traces": 30, "tokens": 360, "calls": 30}
    states = server.rows("SELECT state, count(*) AS n FROM traces GROUP BY state ORDER BY state")
    assert states == [{"state": "ERROR", "n": 10}, {"state": "OK", "n": 20}]
    provider.shutdown()
    server.stop()


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_headers_name_the_experiment(server, way):
    headers = {"x-mlflow-experiment-id": "42", "x-mlflow-run-id": "run-7"}
    compression = Compression.NoCompression if way == "http" else grpc.Compression.NoCompression
    sent = exporter(server, way, compression, headers=headers)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(sent))
    make_spans(provider.get_tracer("tests"), 1)
    provider.shutdown()
    assert server.rows("SELECT experiment_id FROM traces") == [{"experiment_id": "42"}]


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_a_refusal_is_no_success(start, way):
    server = start("--max-request-bytes", "1000")
    compression = Compression.NoCompression if way == "http" else grpc.Compression.NoCompression
    sent = exporter(server, way, compression, timeout=5)
    provider = TracerProvider()
    spans = []
    tracer = provider.get_tracer("tests")
    for number in range(20):
        with tracer.start_as_current_span("x" * 200) as span:
            spans.append(span)
    assert sent.export(spans) is SpanExportResult.FAILURE
    assert sent.export(spans[:1]) is SpanExportResult.SUCCESS
    assert server.rows("SELECT count(*) AS n FROM spans") == [{"n": 1}]

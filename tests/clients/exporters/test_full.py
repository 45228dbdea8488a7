"""A server whose memory for requests is taken: exporters wait and send again, and nothing is lost."""

import contextlib
import socket
from concurrent import futures

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from node import recorded_spans
from stored import stored_spans

# What the server takes of one request.
REQUEST_BYTES_MAX = 64 << 20


def refusals(figures):
    """How many exports were refused because there was no room."""
    told = ['status="503"', 'status="Unavailable"']
    return sum(value for name, value in figures.items() if any(status in name for status in told))


@contextlib.contextmanager
def full(server):
    """While it lasts senders whose last bytes do not come have all but a few bytes of the memory for requests."""
    host, port = server.http.removeprefix("http://").split(":")
    bytes_max = left = int(server.figures()["tracehouse_in_flight_bytes_max"])
    with contextlib.ExitStack() as open_until_then:
        senders = 0
        while left > 0:
            size = min(left, REQUEST_BYTES_MAX)
            sender = open_until_then.enter_context(socket.create_connection((host, int(port))))
            headers = [f"Host: {host}", "Content-Type: application/json", f"Content-Length: {size}"]
            head = "\r\n".join(["POST /v1/traces HTTP/1.1", *headers, "", ""])
            sender.sendall(head.encode() + bytes(size - 1))
            left -= size
            senders += 1
        server.until(lambda figures: figures["tracehouse_in_flight_bytes"] == bytes_max - senders)
        yield


@pytest.mark.parametrize("way", ["proto", "json"])
def test_node_sends_again(server, application, way):
    agent = application(way, "gzip")
    with full(server):
        agent.work()
        server.until(lambda figures: refusals(figures) >= 1)
    recorded, errors = agent.end()
    assert errors == ""
    assert stored_spans(server) == recorded_spans(recorded)
    server.until(lambda figures: figures["tracehouse_in_flight_bytes"] == 0)


def test_node_over_grpc_is_told(server, application):
    """Its exporter does not send again; what matters is that the refusal is no success, and which one it is."""
    agent = application("grpc", "gzip")
    with full(server):
        agent.work()
        _, errors = agent.end()
    assert "UNAVAILABLE" in errors
    assert stored_spans(server) == {}


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_python_sends_again(server, way):
    if way == "http":
        exporter = HttpExporter(endpoint=f"{server.http}/v1/traces", compression=Compression.Gzip, timeout=60)
    else:
        exporter = GrpcExporter(endpoint=server.grpc, insecure=True, compression=grpc.Compression.Gzip, timeout=60)
    tracer = TracerProvider().get_tracer("tests")
    spans = []
    for number in range(50):
        with tracer.start_as_current_span(f"span {number}") as span:
            spans.append(span)
    with futures.ThreadPoolExecutor(1) as pool:
        with full(server):
            sent = pool.submit(exporter.export, spans)
            server.until(lambda figures: refusals(figures) >= 1)
        assert sent.result() is SpanExportResult.SUCCESS
    exporter.shutdown()
    stored = server.rows("SELECT span_id, name FROM spans")
    recorded = {f"{span.context.span_id:016x}": span.name for span in spans}
    assert (len(stored), {row["span_id"]: row["name"] for row in stored}) == (50, recorded)

"""Stands before the producers' `_setup` on the path: the same questions, but spans go into a database.

Each batch goes two ways, so that they can be compared: through `tracehouse.otel.SpanExporter`, and through the official
encoder into a file of messages with their lengths, as the Collector writes it.
"""

import atexit
import importlib.util
import os
import struct
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from tracehouse.otel import SpanExporter as TracehouseExporter

_spec = importlib.util.spec_from_file_location("_producers_setup", Path(os.environ["PRODUCERS"], "drivers", "_setup.py"))
_producers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_producers)
globals().update({name: value for name, value in vars(_producers).items() if not name.startswith("__")})


class FileExporter(SpanExporter):
    """Writes what the official encoder makes of spans."""

    def __init__(self, path):
        self.file = open(path, "ab")

    def export(self, spans):
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        message = encode_spans(spans).SerializeToString()
        self.file.write(struct.pack(">I", len(message)) + message)
        self.file.flush()
        return SpanExportResult.SUCCESS

    def shutdown(self):
        self.file.close()


def exporter():
    """The exporter that is tried."""
    return TracehouseExporter(os.environ["TRACEHOUSE_DB"])


def tracing(**resource):
    """A tracer provider with both exporters, set as the global one."""
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource

    provider = TracerProvider(resource=Resource.create(resource))
    provider.add_span_processor(BatchSpanProcessor(exporter()))
    if os.environ.get("OFFICIAL_FILE"):
        provider.add_span_processor(SimpleSpanProcessor(FileExporter(os.environ["OFFICIAL_FILE"])))
    trace.set_tracer_provider(provider)
    atexit.register(provider.shutdown)
    return provider


def logging():
    """A logger provider that sends nowhere: content is asked for in spans."""
    from opentelemetry.sdk._logs import LoggerProvider

    return LoggerProvider()

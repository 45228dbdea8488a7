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

from tracehouse.otel import LogExporter
from tracehouse.otel import SpanExporter as TracehouseExporter

_THEIRS = Path(os.environ["PRODUCERS"], "drivers", "_setup.py")
_spec = importlib.util.spec_from_file_location("_producers_setup", _THEIRS)
_producers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_producers)
globals().update({name: value for name, value in vars(_producers).items() if not name.startswith("__")})


class _File:
    """A file of messages, each with its length before it."""

    def __init__(self, encode):
        self.path = Path(os.environ["OFFICIAL_FILE"])
        self.encode = encode

    def write(self, items):
        message = self.encode(items).SerializeToString()
        with self.path.open("ab") as file:
            file.write(struct.pack(">I", len(message)) + message)


class FileExporter(SpanExporter):
    """Writes what the official encoder makes of spans."""

    def __init__(self):
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        self.file = _File(encode_spans)

    def export(self, spans):
        self.file.write(spans)
        return SpanExportResult.SUCCESS


class FileLogExporter:
    """The same of log records."""

    def __init__(self):
        from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

        self.file = _File(encode_logs)

    def export(self, batch):
        self.file.write(batch)

    def shutdown(self):
        pass


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
        provider.add_span_processor(SimpleSpanProcessor(FileExporter()))
    trace.set_tracer_provider(provider)
    atexit.register(provider.shutdown)
    return provider


def logging():
    """A logger provider with both exporters: content that is not in spans is in log records."""
    from opentelemetry import _logs
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(LogExporter(os.environ["TRACEHOUSE_DB"])))
    if os.environ.get("OFFICIAL_FILE"):
        provider.add_log_record_processor(SimpleLogRecordProcessor(FileLogExporter()))
    _logs.set_logger_provider(provider)
    atexit.register(provider.shutdown)
    return provider

"""Spans of the OpenTelemetry SDK straight into a database.

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from tracehouse.otel import SpanExporter

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(SpanExporter("app.traces")))

There is no queue here: the SDK's processor gathers spans, and `export` returns when they are on disk. The database may
be one behind a server (`SpanExporter("http://host:4318")`); there the SDK's own OTLP exporter does as well.
Sampling and limits are the SDK's, redaction and prices the database's. Needs the extra `tracehouse[otel]`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter as _SdkSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from tracehouse import _native, connect
from tracehouse.errors import Error

if TYPE_CHECKING:
    from tracehouse import Database
    from tracehouse._engine import Engine

__all__ = ["LogExporter", "SpanExporter", "encode_logs", "encode_spans"]

_logger = logging.getLogger(__name__)
# A reason is told once in so many lost batches: a full disk must not fill the log, too.
_TOLD_EVERY = 100

_Write = Callable[["Engine", Any, Sequence[Any], str], "tuple[int, str | None]"]


def encode_spans(spans: Iterable[ReadableSpan]) -> bytes:
    """Spans as an OTLP/protobuf `ExportTraceServiceRequest`: what the exporter writes, for receivers elsewhere.

    Raises:
        TypeError: something among them is no span; the message names it.
    """
    return _request(_native.encode_spans(spans))


def encode_logs(records: Iterable[Any]) -> bytes:
    """Log records as an OTLP/protobuf `ExportLogsServiceRequest`; see `encode_spans`."""
    return _request(_native.encode_logs(records))


def _request(encoded: tuple[bytes, list[str]]) -> bytes:
    request, rejected = encoded
    if rejected:
        raise TypeError(rejected[0])
    return request


def _write_spans(engine: Engine, db: Any, spans: Sequence[Any], experiment_id: str) -> tuple[int, str | None]:
    return engine.export_spans(db, spans, experiment_id)


def _write_logs(engine: Engine, db: Any, records: Sequence[Any], experiment_id: str) -> tuple[int, str | None]:
    return engine.export_logs(db, records, experiment_id)


class _Writer:
    """What both exporters are: a database, and what could not be written to it."""

    def __init__(self, database: Database | str | os.PathLike[str], experiment_id: str, write: _Write) -> None:
        self._owns = isinstance(database, (str, os.PathLike))
        opened = connect(database) if isinstance(database, (str, os.PathLike)) else database
        self._database: Database | None = opened
        self._experiment_id = experiment_id
        self._write = write
        self._lock = threading.Lock()
        self._failures = 0
        self.lost = 0

    def write(self, items: Sequence[Any]) -> bool:
        """Writes items, durably; whether that went well. Items that the database does not take cost only themselves."""
        database = self._database
        if database is None:
            return self._fail(len(items), "the exporter is shut down")
        try:
            lost, reason = self._write(database._engine, database._native, items, self._experiment_id)
        except Error as error:
            return self._fail(len(items), str(error))
        if lost:
            self._count(lost)
            _logger.warning("%d of %d items were not stored, the first since %s", lost, len(items), reason)
        return True

    def close(self) -> None:
        """Closes the database if it was opened here; later writes fail."""
        database, self._database = self._database, None
        if database is not None and self._owns:
            try:
                database.close()
            except Error as error:
                _logger.warning("closing the database: %s", error)

    def _fail(self, count: int, reason: str) -> bool:
        self._count(count)
        with self._lock:
            told = self._failures % _TOLD_EVERY == 0
            self._failures += 1
        if told:
            _logger.error("%d items are lost: %s", count, reason)
        return False

    def _count(self, items: int) -> None:
        with self._lock:
            self.lost += items


class SpanExporter(_SdkSpanExporter):
    """An exporter that writes spans to a database.

    Args:
        database: the path of a database, which is made where there is none, the address of a server, or an open
            `Database`. One that was given open stays open; other code of the process may open the same path, and writes
            to the same instance.
        experiment_id: the experiment that new traces belong to.

    Under a `BatchSpanProcessor` a batch is one write, synced before `export` returns: after `force_flush` of the
    provider nothing that ended is lost, whatever happens to the process. A batch that cannot be written (full disk,
    closed database, a forked child) is lost, as the SDK has it: `export` gives `FAILURE`, the reason is logged, and
    `lost_spans` counts.
    """

    def __init__(self, database: Database | str | os.PathLike[str], *, experiment_id: str = "0") -> None:
        self._writer = _Writer(database, experiment_id, _write_spans)

    @property
    def lost_spans(self) -> int:
        """Spans that are not stored, because a write failed or because the database does not take them."""
        return self._writer.lost

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Writes spans; they are durable and visible when this returns `SUCCESS`. A failed write does not raise."""
        return SpanExportResult.SUCCESS if self._writer.write(spans) else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is left to flush: what was exported is on disk."""
        return True

    def shutdown(self) -> None:
        """Closes the database if it was opened here; later exports fail. A second call does nothing."""
        self._writer.close()


class LogExporter:
    """An exporter that writes log records of spans to a database.

    Some instrumentations of OpenTelemetry GenAI send what was said to a model as log records and not in spans. Records
    that come before their span wait for it; records of no span are left out. The arguments and what is done about
    failures are those of `SpanExporter`. It goes under the SDK's `BatchLogRecordProcessor`, whose interface is not
    settled yet: this is no subclass of the SDK's exporter, which changes its name.
    """

    def __init__(self, database: Database | str | os.PathLike[str], *, experiment_id: str = "0") -> None:
        self._writer = _Writer(database, experiment_id, _write_logs)

    @property
    def lost_records(self) -> int:
        """Records that are not stored, because a write failed or because the database does not take them."""
        return self._writer.lost

    def export(self, batch: Sequence[Any]) -> Any:
        """Writes records; those of spans are durable when this returns the SDK's `SUCCESS`."""
        import opentelemetry.sdk._logs.export as sdk

        results = getattr(sdk, "LogRecordExportResult", None) or sdk.LogExportResult
        return results.SUCCESS if self._writer.write(batch) else results.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is left to flush: what was exported is on disk."""
        return True

    def shutdown(self) -> None:
        """Closes the database if it was opened here; later exports fail. A second call does nothing."""
        self._writer.close()

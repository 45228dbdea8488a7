"""Spans of the OpenTelemetry SDK straight into a database.

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from tracehouse.otel import SpanExporter

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(SpanExporter("app.traces")))

There is no queue here and no server: the SDK's processor gathers spans, and `export` returns when they are on disk.
Sampling and limits are the SDK's, redaction and prices the database's. Needs the extra `tracehouse[otel]`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter as _SdkSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from tracehouse import _native, connect
from tracehouse.errors import Error

if TYPE_CHECKING:
    from tracehouse import Database

__all__ = ["SpanExporter"]

_logger = logging.getLogger(__name__)
# A reason is told once in so many lost batches: a full disk must not fill the log, too.
_TOLD_EVERY = 100


class SpanExporter(_SdkSpanExporter):
    """An exporter that writes to a database.

    Args:
        database: the path of a database, which is made where there is none, or an open `Database`. One that was given
            open stays open; other code of the process may open the same path, and writes to the same instance.
        experiment_id: the experiment that new traces belong to.

    Under a `BatchSpanProcessor` a batch is one write, synced before `export` returns: after `force_flush` of the
    provider nothing that ended is lost, whatever happens to the process. A batch that cannot be written (full disk,
    closed database, a forked child) is lost, as the SDK has it: `export` gives `FAILURE`, the reason is logged, and
    `lost_spans` counts.
    """

    def __init__(self, database: Database | str | os.PathLike[str], *, experiment_id: str = "0") -> None:
        self._owns = isinstance(database, (str, os.PathLike))
        opened = connect(database) if isinstance(database, (str, os.PathLike)) else database
        self._database: Database | None = opened
        self._experiment_id = experiment_id
        self._lock = threading.Lock()
        self._failures = 0
        #: Spans that were not written, because a write failed or because the database does not take them.
        self.lost_spans = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Writes spans; they are durable and visible when this returns `SUCCESS`. It never raises."""
        database = self._database
        if database is None:
            return self._fail(len(spans), "the exporter is shut down")
        try:
            rejected = _native.export_spans(database._native, spans, self._experiment_id)
        except Error as error:
            return self._fail(len(spans), str(error))
        if rejected:
            self._count(len(rejected))
            _logger.warning("%d of %d spans were not stored, the first: %s", len(rejected), len(spans), rejected[0])
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is left to flush: what was exported is on disk."""
        return True

    def shutdown(self) -> None:
        """Closes the database if it was opened here; further exports fail. A second call does nothing."""
        database, self._database = self._database, None
        if database is not None and self._owns:
            try:
                database.close()
            except Error as error:
                _logger.warning("closing the database: %s", error)

    def _fail(self, count: int, reason: str) -> SpanExportResult:
        self._count(count)
        with self._lock:
            told = self._failures % _TOLD_EVERY == 0
            self._failures += 1
        if told:
            _logger.error("%d spans are lost: %s", count, reason)
        return SpanExportResult.FAILURE

    def _count(self, spans: int) -> None:
        with self._lock:
            self.lost_spans += spans

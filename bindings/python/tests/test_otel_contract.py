"""The walk over spans against the official encoder: the same request, the same rows."""

from __future__ import annotations

import os
from typing import Any

import otel_spans
import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

import tracehouse
from tracehouse.otel import SpanExporter, encode_logs, encode_spans

# Batches that are made up for each test; a row test opens two databases for each.
_BATCHES = int(os.environ.get("TRACEHOUSE_OTEL_BATCHES", "50"))
_CHECKS: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
_SETTINGS = settings(max_examples=_BATCHES, **_CHECKS)


@_SETTINGS
@given(otel_spans.spans())
def test_the_request_is_the_official_one(spans: list[ReadableSpan]) -> None:
    request = encode_spans(spans)
    assert otel_spans.outline(request) == otel_spans.outline(official_spans(spans).SerializeToString())


@_SETTINGS
@given(otel_spans.records())
def test_the_request_of_log_records_is_the_official_one(records: list[Any]) -> None:
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as official

    request = encode_logs(records)
    assert otel_spans.outline_of_logs(request) == otel_spans.outline_of_logs(official(records).SerializeToString())


@settings(max_examples=max(_BATCHES // 2, 1), **_CHECKS)
@given(otel_spans.spans())
def test_the_rows_are_those_of_an_import(spans: list[ReadableSpan]) -> None:
    with tracehouse.connect(":memory:") as walked, tracehouse.connect(":memory:") as imported:
        assert SpanExporter(walked).export(spans) is SpanExportResult.SUCCESS
        imported.import_otlp(official_spans(spans).SerializeToString())
        # An import settles its traces at its end; an exporter may go on.
        walked.settle()
        for table in ("spans", "traces"):
            statement = f"SELECT * FROM {table} ORDER BY trace_id" + (", span_id" if table == "spans" else "")
            assert _rows(walked, statement) == _rows(imported, statement)


def _rows(database: tracehouse.Database, statement: str) -> list[Any]:
    return database.sql(statement).fetchall()


def test_what_the_encoder_cannot_send_is_kept() -> None:
    attributes: dict[str, Any] = {
        "big": 2**70,
        "negative": -(2**63) - 1,
        "half": "a\ud83dz",
        "halves": "\ud83d\ude00",
        "nested": {"deep": [2**64, "\udc00"]},
        "plain": 1,
    }
    span = _span("na\ud800me", attributes)
    with tracehouse.connect(":memory:") as database:
        assert SpanExporter(database).export([span]) is SpanExportResult.SUCCESS
        [stored] = database.get_trace(f"{1:032x}").spans
    assert stored.name == "na\ufffdme"
    assert stored.attributes == {
        "big": str(2**70),
        "negative": str(-(2**63) - 1),
        "half": "a\ufffdz",
        "halves": "\U0001f600",
        "nested": {"deep": [str(2**64), "\ufffd"]},
        "plain": 1,
    }


def test_a_span_that_is_none_costs_only_itself() -> None:
    good = _span("good", {"a": 1})
    bad = _span("bad", {})
    bad._context = None  # type: ignore[assignment]
    with tracehouse.connect(":memory:") as database:
        exporter = SpanExporter(database)
        assert exporter.export([bad, good, object()]) is SpanExportResult.SUCCESS  # type: ignore[list-item]
        assert (exporter.lost_spans, database.count_traces("")) == (2, 1)


def test_what_is_no_span_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="an object of <class 'int'>"):
        encode_spans([_span("good", {}), 3])  # type: ignore[list-item]
    assert encode_spans([]) == b""


def test_values_of_no_known_type_are_left_out() -> None:
    span = _span("x", None)
    # Past the SDK's own check, as processors of instrumentations do.
    span._attributes = {"strange": object(), "set": {1}, "fine": (1, 2)}
    with tracehouse.connect(":memory:") as database:
        SpanExporter(database).export([span])
        [stored] = database.get_trace(f"{1:032x}").spans
    assert stored.attributes == {"fine": [1, 2]}


def test_values_that_nest_too_deep_cost_their_span() -> None:
    deep: Any = "end"
    for _ in range(5_000):
        deep = [deep]
    span = _span("deep", None)
    span._attributes = {"deep": deep}
    with tracehouse.connect(":memory:") as database:
        exporter = SpanExporter(database)
        exporter.export([span, _span("other", {}, span_id=3)])
        assert (exporter.lost_spans, len(database.get_trace(f"{1:032x}").spans)) == (1, 1)


def _span(name: str, attributes: Any, span_id: int = 2) -> ReadableSpan:
    from opentelemetry.attributes import BoundedAttributes
    from opentelemetry.trace import SpanContext

    return ReadableSpan(
        name=name,
        context=SpanContext(1, span_id, False),
        attributes=BoundedAttributes(attributes=attributes),
        start_time=otel_spans.TIME_NS,
        end_time=otel_spans.TIME_NS + 1,
    )

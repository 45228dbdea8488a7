"""Traces as objects: what they say, as dictionaries, as text, as OTLP; copies of them."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timezone

import pytest
import sample

import tracehouse
from tracehouse import Database, Span, Trace


@pytest.fixture
def trace(sample_db: Database) -> Trace:
    """A trace whose tool failed."""
    sample_db.log_feedback(sample.trace_id(3), "correct", False, source=("HUMAN", "ana"))
    return sample_db.get_trace(sample.trace_id(3))


def test_what_a_trace_says(trace: Trace) -> None:
    info = trace.info
    assert (info.state, info.name, info.session_id, info.user_id) == ("ERROR", "agent", "s-1", "u3")
    assert info.request_time == datetime(2023, 11, 14, 22, 13, 23, tzinfo=timezone.utc)
    assert (info.duration_ms, info.span_count, info.error_span_count) == (500.0, 3, 2)
    assert (info.input_tokens, info.total_tokens, info.models) == (103, 123, ["gpt-4o"])
    assert info.tags == {"env": "prod"}
    assert info.request_preview == "refund policy of order 3"
    assert trace.root is trace.span(sample.span_id(3, 0))
    assert trace.root is not None
    assert trace.root.input_value["messages"][0]["role"] == "user"
    assert [span.name for span in trace.children(trace.root.span_id)] == ["chat", "refund"]
    assert trace.children() == [trace.root]
    [feedback] = trace.assessments
    assert (feedback.name, feedback.value, feedback.source_id, feedback.valid) == ("correct", False, "ana", True)
    with pytest.raises(KeyError, match="no field"):
        info["nothing"]


def test_what_a_span_says(trace: Trace) -> None:
    span = trace.spans[1]
    assert (span.name, span.model, span.kind, span.span_type) == ("chat", "gpt-4o", "CLIENT", "CHAT_MODEL")
    assert (span.input_tokens, span.operation, span.service_name) == (103, "chat", "shop")
    assert span.attributes["gen_ai.request.temperature"] == 0.5
    assert span.attributes["list"] == ["a", "b"]
    assert span.resource == {"service.name": "shop"}
    assert (span.scope_name, span.scope_version) == ("sample", "1.2")
    [event] = span.events
    assert (event.name, event.attributes) == ("first token", {"index": 1})
    assert event.time.microsecond == 2000
    assert span.links[0].trace_id == sample.trace_id(999)
    assert span.duration_ms == 399.0
    assert span["duration_ms" if False else "name"] == "chat"
    assert [(m.direction, m.role, m.content) for m in span.messages()] == [
        ("input", "user", "refund policy of order 3"),
        ("output", "assistant", "within 30 days "),
    ]


def test_a_trace_as_a_dictionary_and_as_json(trace: Trace) -> None:
    made = trace.to_dict()
    assert set(made) == {"info", "spans", "assessments"}
    assert json.loads(trace.to_json(indent=2)) == made
    assert made["spans"][1]["attributes"]["gen_ai.request.model"] == "gpt-4o"
    assert made["assessments"][0]["value"] is False


def test_a_trace_as_text(trace: Trace) -> None:
    text = str(trace)
    assert "agent" in text.splitlines()[0]
    assert "  chat" in text
    assert "ERROR no such order" in text
    assert "feedback correct = False by ana" in text
    assert repr(trace) == f"Trace('{sample.trace_id(3)}', 'agent', ERROR, 3 spans)"
    wild = Trace(tracehouse.TraceInfo("t", name="\x1b[31mred"), [Span("t", "s", "a\nb", parent_span_id="s")])
    assert "\x1b" not in str(wild)
    assert "a b" in str(wild)


def test_a_circle_of_parents_is_shown(db: Database) -> None:
    spans = [Span("t", "a", "first", parent_span_id="b"), Span("t", "b", "second", parent_span_id="a")]
    text = str(Trace(tracehouse.TraceInfo("t"), spans))
    assert "first" in text
    assert "second" in text


def test_otlp_of_a_trace_is_the_trace(trace: Trace) -> None:
    request = json.loads(json.dumps(trace.to_otlp()))
    with tracehouse.connect() as other:
        assert other.import_otlp(request).rejected == []
        copy = other.get_trace(trace.trace_id)
    assert copy.spans == trace.spans
    assert copy.info == trace.info


def test_everything_that_otlp_has_goes_through(db: Database) -> None:
    request = sample.request(1)
    scope_spans = request["resourceSpans"][0]["scopeSpans"][0]
    request["resourceSpans"][0]["schemaUrl"] = "https://schema/1"
    scope_spans["scope"]["attributes"] = sample.attributes({"a": 1})
    span = scope_spans["spans"][1]
    span |= {"traceState": "x=1", "flags": 257, "droppedAttributesCount": 2, "droppedEventsCount": 1}
    span["links"][0] |= {"traceState": "y=2", "flags": 1, "attributes": sample.attributes({"k": "v"})}
    span["attributes"] += [
        {"key": "bytes", "value": {"bytesValue": "AQI="}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "empty", "value": {}},
        {"key": "tree", "value": {"kvlistValue": {"values": sample.attributes({"$a": 1})}}},
        {"key": "float", "value": {"doubleValue": 2.0}},
    ]
    db.import_otlp(request)
    trace = db.get_trace(sample.trace_id(1))
    with tracehouse.connect() as other:
        assert other.import_otlp(trace.to_otlp()).rejected == []
        assert other.get_trace(trace.trace_id).spans == trace.spans
    with tracehouse.connect() as other:
        other.append(trace.spans)
        copy = other.get_trace(trace.trace_id)
    assert copy.spans == trace.spans
    assert copy.info == trace.info


def test_copies(trace: Trace, sample_db: Database) -> None:
    assert pickle.loads(pickle.dumps(trace)) == trace
    page = sample_db.search_traces("state = 'ERROR'", max_results=2)
    copy = pickle.loads(pickle.dumps(page))
    assert copy == page
    assert copy.next_page_token == page.next_page_token


def test_what_an_import_would_keep() -> None:
    spans, rejected = tracehouse.decode_otlp(json.dumps(sample.request(0)).encode(), experiment_id="5")
    assert [span.name for span in spans] == ["agent", "chat", "refund"]
    assert {span.experiment_id for span in spans} == {"5"}
    assert rejected == []

"""Calling the application that is evaluated: each call is a trace, its outputs are judged."""

from __future__ import annotations

import importlib
import json
import threading
from typing import Any

import pytest

import tracehouse
from tracehouse import Database, InvalidInputError

RECORDS = [
    {"inputs": {"city": "Paris", "n": 1}, "outputs": "old", "expectations": {"expected_response": "Paris 1"}},
    {"inputs": {"city": "Rome", "n": 2}, "expectations": {"expected_response": "Rome 2"}},
    {"inputs": {"city": "Oslo", "n": 3}, "expectations": {"expected_response": "Oslo"}},
]


def answer(city: str, n: int) -> str:
    """The application."""
    if city == "Rome":
        raise LookupError("no such city <b>")
    return f"{city} {n}"


def test_records_are_given_to_a_function(db: Database) -> None:
    ds = db.create_dataset("cities")
    ds.merge_records(RECORDS)
    run = db.evaluate(ds, ["exact_match", "latency_ms:60000"], predict_fn=answer, name="new", experiment_id="7")
    assert (run.source, run.row_count, run.error_count) == ("given", 6, 1)
    assert (run.metrics["exact_match"], run.metrics["exact_match/errors"]) == (0.5, 1)
    traces = {trace.root.input_value["city"]: trace for trace in db.search_traces(experiment_ids="7") if trace.root}
    assert {city: trace.info.state for city, trace in traces.items()} == {"Paris": "OK", "Oslo": "OK", "Rome": "ERROR"}
    paris, rome = traces["Paris"], traces["Rome"]
    assert paris.root is not None
    assert (paris.root.name, paris.root.outputs, paris.info.span_count) == ("answer", "Paris 1", 1)
    assert rome.root is not None
    assert rome.root.status_message == "LookupError: no such city <b>"
    assert rome.root.events[0].attributes["exception.type"] == "LookupError"
    records = {record.inputs["city"]: record.dataset_record_id for record in ds.records()}
    assert paris.info.metadata["tracehouse.eval.run"] == "new"
    assert paris.info.metadata["tracehouse.eval.record"] == records["Paris"]
    # A score knows both, and is feedback on the trace.
    rows = db.sql("SELECT trace_id, dataset_record_id, passed FROM scores WHERE scorer = 'exact_match'").fetchall()
    assert (paris.trace_id, records["Paris"], True) in rows
    assert (traces["Oslo"].trace_id, records["Oslo"], False) in rows
    assert db.count_traces("feedback.exact_match = true", experiment_ids="7") == 1
    assert db.count_traces(f"run_id = '{run.run_id}'", experiment_ids="7") == 3


def test_a_function_scorer_is_not_asked_about_a_call_that_failed(db: Database) -> None:
    asked: list[str] = []

    @tracehouse.scorer
    def seen(outputs: str | None, trace: tracehouse.Trace) -> bool:
        asked.append(trace.info.state)
        return outputs is not None

    run = db.evaluate(RECORDS, [seen], predict_fn=answer)
    assert (run.row_count, run.error_count, asked) == (3, 1, ["OK", "OK"])
    (failure,) = run.failures()
    assert failure.error == "missing: looked for an output: predict_fn failed: LookupError: no such city <b>"
    assert failure.dataset_record_id == "item-1"


def test_how_inputs_are_given(db: Database) -> None:
    def whole(inputs: dict[str, Any]) -> list[str]:
        return sorted(inputs)

    def one(question: str) -> str:
        return question.upper()

    async def later(city: str, **others: Any) -> dict[str, Any]:
        return {"city": city, **others}

    def judged(data: list[Any], predict_fn: Any) -> list[Any]:
        db.evaluate(data, "json_valid", predict_fn=predict_fn, name=predict_fn.__name__)
        filter = f"metadata.`tracehouse.eval.run` = '{predict_fn.__name__}'"
        return [trace.root.output_value for trace in db.iter_traces(filter) if trace.root]

    assert judged(RECORDS[:1], whole) == [["city", "n"]]
    assert judged(["why?"], one) == ["WHY?"]
    assert judged(RECORDS[:1], later) == [{"city": "Paris", "n": 1}]

    def wrong(city: str) -> str:
        return city

    run = db.evaluate(RECORDS[:1], "json_valid", predict_fn=wrong)
    (trace,) = db.search_traces(f"run_id = '{run.run_id}'")
    assert trace.root is not None
    assert "unexpected keyword argument 'n'" in str(trace.root.status_message)


def test_what_a_function_cannot_be_called_with(db: Database) -> None:
    with pytest.raises(InvalidInputError, match="inputs of a dataset or of a list"):
        db.evaluate("state = 'OK'", "json_valid", predict_fn=answer)
    with pytest.raises(InvalidInputError, match="item 1 has no inputs"):
        db.evaluate([{"outputs": "x"}], "json_valid", predict_fn=answer)
    with pytest.raises(InvalidInputError, match="item 1 has city"):
        db.evaluate([{"city": "Paris"}], "json_valid", predict_fn=answer)
    with pytest.raises(InvalidInputError, match="two scorers are named 'json_valid'"):
        db.evaluate(RECORDS, ["json_valid", "json_valid"], predict_fn=answer)
    with pytest.raises(InvalidInputError, match="needs a scorer"):
        db.evaluate(RECORDS, [], predict_fn=answer)
    assert db.count_traces() == 0


def test_outputs_that_json_has_not(db: Database) -> None:
    import dataclasses
    import decimal

    import numpy

    @dataclasses.dataclass
    class Answer:
        text: str
        scores: Any

    def odd(n: int) -> Any:
        return Answer("x", numpy.arange(n)) if n else {"at": decimal.Decimal("1.50"), "by": [threading]}

    db.evaluate([{"inputs": {"n": 2}}, {"inputs": {"n": 0}}], "json_valid", predict_fn=odd)
    outputs = {trace.root.input_value["n"]: trace.root.outputs for trace in db.search_traces() if trace.root}
    assert json.loads(str(outputs[2])) == {"text": "x", "scores": [0, 1]}
    told = json.loads(str(outputs[0]))
    assert told["at"] == "1.50"
    assert told["by"][0].startswith("<module 'threading'")


def test_calls_run_side_by_side_and_progress_is_told(db: Database) -> None:
    together = threading.Barrier(3)
    told: list[tuple[int, int]] = []

    def waits(city: str, n: int) -> str:
        together.wait(timeout=30)
        return city

    run = db.evaluate(
        RECORDS,
        "contains",
        predict_fn=waits,
        concurrency=3,
        progress=lambda done, total: told.append((done, total)),
    )
    assert run.error_count == 0
    assert (3, 3) in told
    assert {total for _, total in told} == {3}


def test_a_run_goes_on_with_what_was_not_called(db: Database) -> None:
    called: list[str] = []

    def counts(city: str, n: int) -> str:
        called.append(city)
        return f"{city} {n}"

    run = db.evaluate(RECORDS[:2], "exact_match", predict_fn=counts, name="cities")
    on = run.resume(data=RECORDS, predict_fn=counts)
    assert called == ["Paris", "Rome", "Oslo"] or sorted(called[:2]) == ["Paris", "Rome"]
    assert len(called) == 3
    assert (on.run_id, on.row_count, on.metrics["exact_match"]) == (run.run_id, 3, pytest.approx(2 / 3))
    again = db.evaluate(RECORDS, "exact_match", predict_fn=answer)
    # Places tell the items of two runs apart, not the traces of their calls.
    assert again.compare(on).scorers[0].pairs == 2
    assert again.compare(on).scorers[0].errors_only_b == 1


def test_spans_of_an_instrumented_application_come_below(db: Database) -> None:
    importlib.import_module("opentelemetry.sdk")
    from opentelemetry import trace as opentelemetry_trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from tracehouse.otel import SpanExporter

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(SpanExporter(db)))
    tracer = provider.get_tracer("app")
    assert opentelemetry_trace is not None

    def instrumented(city: str, n: int) -> str:
        with tracer.start_as_current_span("look up", attributes={"openinference.span.kind": "TOOL"}) as span:
            span.set_attribute("tool.name", "look_up")
            return f"{city} {n}"

    expected = {"expected_tool_calls": [{"name": "look_up"}]}
    run = db.evaluate([{**RECORDS[0], "expectations": expected}], "tool_calls", predict_fn=instrumented)
    assert run.metrics["tool_calls"] == 1.0
    (trace,) = db.search_traces()
    assert [(span.name, span.parent_span_id is None) for span in trace.spans] == [
        ("instrumented", True),
        ("look up", False),
    ]

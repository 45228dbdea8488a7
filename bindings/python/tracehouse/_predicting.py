"""Calling the application that is evaluated: each call is a trace of the database, and its outputs are judged.

The root span of a trace has inputs, outputs, times and the error of the call. Where OpenTelemetry is loaded, it is the
current span of the call, so that spans of an instrumented application come below it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeAlias

from tracehouse import _native
from tracehouse._given import plain
from tracehouse._items import spans_of
from tracehouse._otlp import span_fields
from tracehouse._writing import _start
from tracehouse.errors import InvalidInputError, NotFoundError
from tracehouse.span import Span, SpanEvent
from tracehouse.trace import TraceStart

Predict: TypeAlias = Callable[..., Any]

RUN_METADATA = "tracehouse.eval.run"
"""Metadata of the trace of a call: the name of the run that called."""
RECORD_METADATA = "tracehouse.eval.record"
"""Metadata of the trace of a call: the record, or the place in the list, whose inputs were given."""

_CALLS_MAX = 10
_OK, _ERROR = "OK", "ERROR"


@dataclass(slots=True)
class _Call:
    """A call that ended."""

    item: dict[str, Any]
    trace_id: str
    span_id: str
    start_ns: int
    end_ns: int
    outputs: Any = None
    error: BaseException | None = None

    @property
    def duration_ns(self) -> int:
        return max(self.end_ns - self.start_ns, 0)


def items_to_predict(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Items with inputs, each told by its record or by its place.

    Raises:
        InvalidInputError: one without inputs.
    """
    items = []
    for place, row in enumerate(rows):
        if row.get("inputs") is None:
            raise InvalidInputError(f"item {place + 1} has no inputs: predict_fn is called with them")
        kept = {key: row[key] for key in ("inputs", "expectations") if row.get(key) is not None}
        items.append({**kept, "dataset_record_id": row.get("dataset_record_id") or f"item-{place}"})
    return items


def predicted(
    db: _native.Database,
    items: list[dict[str, Any]],
    predict_fn: Predict,
    run_name: str,
    *,
    experiment_id: str = "0",
    concurrency: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Calls a function with the inputs of each item.

    Returns:
        The items with their outputs and traces, and of those whose call failed why, by trace.
    """
    calls: dict[str, _Call] = {}
    with ThreadPoolExecutor(concurrency or _CALLS_MAX, thread_name_prefix="tracehouse-predict") as threads:
        # What Ctrl-C finds waiting is not called any more.
        waiting = {threads.submit(_called, predict_fn, item) for item in items}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                ended = [one.result() for one in done]
                _store(db, ended, predict_fn, run_name, experiment_id)
                calls.update((call.item["dataset_record_id"], call) for call in ended)
                if progress is not None:
                    progress(len(calls), len(items))
        except BaseException:
            _give_up(waiting)
            raise
    has_spans = _flushed()
    ordered = [calls[item["dataset_record_id"]] for item in items]
    failures = {
        call.trace_id: f"predict_fn failed: {type(call.error).__name__}: {call.error}"
        for call in ordered
        if call.error is not None
    }
    return [_item(db, call, has_spans) for call in ordered], failures


def _give_up(waiting: set[Future[_Call]]) -> None:
    for one in waiting:
        one.cancel()


def _called(predict_fn: Predict, item: dict[str, Any]) -> _Call:
    call = _Call(item, os.urandom(16).hex(), os.urandom(8).hex(), time.time_ns(), 0)
    started_ns = time.perf_counter_ns()
    try:
        with _as_current(call):
            outputs = _call(predict_fn, item["inputs"])
        call.outputs = plain(outputs, "outputs", as_text=True)
    except Exception as error:
        call.error = error
    call.end_ns = call.start_ns + time.perf_counter_ns() - started_ns
    return call


def _call(predict_fn: Predict, inputs: Any) -> Any:
    """Inputs that are a dictionary are arguments by name, unless the function takes them as one."""
    if isinstance(inputs, Mapping) and _takes_names(predict_fn, inputs):
        outputs = predict_fn(**inputs)
    else:
        outputs = predict_fn(inputs)
    return asyncio.run(outputs) if inspect.iscoroutine(outputs) else outputs


def _takes_names(predict_fn: Predict, inputs: Mapping[str, Any]) -> bool:
    try:
        signature = inspect.signature(predict_fn)
    except (TypeError, ValueError):
        return True
    with contextlib.suppress(TypeError):
        signature.bind(**inputs)
        return True
    with contextlib.suppress(TypeError):
        (name, _) = signature.bind(inputs).arguments.popitem()
        return name in inputs
    # Neither fits: the error should name the argument.
    return True


def _as_current(call: _Call) -> contextlib.AbstractContextManager[Any]:
    """Makes the root span the current one of OpenTelemetry, where that is loaded."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return contextlib.nullcontext()
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    context = trace.SpanContext(int(call.trace_id, 16), int(call.span_id, 16), is_remote=False, trace_flags=flags)
    current: contextlib.AbstractContextManager[Any] = trace.use_span(trace.NonRecordingSpan(context))
    return current


def _flushed() -> bool:
    """Has spans that the application made exported; whether it may have made any."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return False
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if callable(flush):
        flush()
    return True


def _store(db: _native.Database, calls: list[_Call], predict_fn: Predict, run_name: str, experiment_id: str) -> None:
    name = getattr(predict_fn, "__name__", None) or type(predict_fn).__name__
    starts = [
        TraceStart(
            call.trace_id,
            call.start_ns,
            experiment_id=experiment_id,
            finalised=False,
            metadata={RUN_METADATA: run_name, RECORD_METADATA: call.item["dataset_record_id"]},
        )
        for call in calls
    ]
    _native.start_traces(db, [(start.trace_id, _start(start)) for start in starts])
    _native.append(db, [span_fields(_span(call, name, experiment_id)) for call in calls])


def _span(call: _Call, name: str, experiment_id: str) -> Span:
    error = call.error
    events = []
    if error is not None:
        said = {"exception.type": type(error).__name__, "exception.message": str(error)}
        events.append(SpanEvent("exception", call.end_ns, said))
    return Span(
        call.trace_id,
        call.span_id,
        name,
        experiment_id=experiment_id,
        span_type="CHAIN",
        status=_OK if error is None else _ERROR,
        status_message=None if error is None else f"{type(error).__name__}: {error}",
        start_time_ns=call.start_ns,
        end_time_ns=call.end_ns,
        inputs=_json(call.item["inputs"]),
        outputs=None if error is not None else _json(call.outputs),
        events=events,
    )


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(plain(value, "value"), ensure_ascii=False)


def _item(db: _native.Database, call: _Call, has_spans: bool) -> dict[str, Any]:
    item = {**call.item, "trace_id": call.trace_id, "duration_ns": call.duration_ns}
    if call.error is None and call.outputs is not None:
        item["outputs"] = call.outputs
    if has_spans:
        # One that a retention deleted meanwhile has no spans.
        with contextlib.suppress(NotFoundError):
            trace = _native.get_trace(db, call.trace_id)
            item.update(spans_of(trace), total_tokens=trace.info.total_tokens, cost_usd=trace.info.cost_usd)
    return {key: value for key, value in item.items() if value is not None}

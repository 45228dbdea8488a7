"""What callers give to be judged, as the items that the native module takes: lists, tables, traces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tracehouse._given import plain
from tracehouse.errors import InvalidInputError
from tracehouse.result import Result

if TYPE_CHECKING:
    from tracehouse.trace import Span, Trace

_TEXTS = ("trace_id", "span_id", "dataset_record_id", "input_text", "output_text")
_VALUES = ("inputs", "outputs", "expectations", "tool_calls", "documents", "messages")
_FIGURES = ("duration_ns", "total_tokens", "cost_usd")
# As MLflow writes ids of traces.
_PREFIXED = re.compile("tr-[0-9a-f]{32}")
_TURN_KEYS = ("text", "content")


def item_of(given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """An item of a caller's dictionary.

    Raises:
        InvalidInputError: a member that an item has not, or a value of the wrong kind.
    """
    unknown = [str(key) for key in given if key not in (*_TEXTS, *_VALUES, *_FIGURES)]
    if unknown:
        known = ", ".join((*_VALUES, *_FIGURES, *_TEXTS))
        raise InvalidInputError(f"{what} has {', '.join(unknown)}: an item has {known}")
    item = {key: plain(value, f"{what}.{key}") for key, value in given.items() if value is not None}
    if _PREFIXED.fullmatch(str(item.get("trace_id"))):
        item["trace_id"] = item["trace_id"][3:]
    expectations = item.get("expectations")
    if expectations is not None and not isinstance(expectations, dict):
        shown = type(expectations).__name__
        raise InvalidInputError(f"{what}.expectations is a {shown}: a dictionary with names expected")
    if "messages" in item:
        item["messages"] = [_turn(turn, what) for turn in item["messages"]]
    return item


def _turn(turn: Any, what: str) -> dict[str, str]:
    text = next((turn[key] for key in _TURN_KEYS if key in turn), None) if isinstance(turn, dict) else None
    if text is None or "role" not in turn:
        raise InvalidInputError(f"{what}.messages has {turn!r}: a dictionary with `role` and `text` expected")
    return {"role": str(turn["role"]), "text": text if isinstance(text, str) else json.dumps(text)}


def items_of(data: Any, limit: int | None) -> list[dict[str, Any]]:
    """The items of a list of dictionaries, a DataFrame, an Arrow table or a `Result`.

    Raises:
        InvalidInputError: names the item that is wrong.
    """
    rows = _rows(data)
    items = []
    for at, row in enumerate(rows if limit is None else rows[:limit], start=1):
        if not isinstance(row, Mapping):
            raise InvalidInputError(f"item {at} is a {type(row).__name__}: a dictionary with `inputs` expected")
        items.append(item_of(row, f"item {at}"))
    _check_told_apart(items)
    return items


def _check_told_apart(items: list[dict[str, Any]]) -> None:
    """Items are told by their record, else by their trace and span: a run has each once."""
    seen: dict[tuple[str, ...], int] = {}
    for at, item in enumerate(items, start=1):
        names = ("dataset_record_id",) if "dataset_record_id" in item else ("trace_id", "span_id")
        key = tuple(f"{name} {item[name]}" for name in names if name in item)
        first = seen.setdefault(key, at)
        if key and first != at:
            raise InvalidInputError(f"item {at} has the {' and '.join(key)} of item {first}: a run has each item once")


def _rows(data: Any) -> list[Any]:
    if isinstance(data, Result):
        return [_parsed(dict(zip(data.columns, row, strict=True))) for row in data]
    if hasattr(data, "to_pylist"):  # pyarrow
        return [_parsed(row) for row in data.to_pylist()]
    if hasattr(data, "to_dicts"):  # polars
        return [_parsed(row) for row in data.to_dicts()]
    if hasattr(data, "to_dict") and hasattr(data, "columns"):  # pandas
        return [_parsed(row) for row in data.to_dict("records")]
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, Mapping)):
        return list(data)
    shown = type(data).__name__
    raise InvalidInputError(
        f"data is a {shown}: a dataset, a filter, a list of dictionaries or traces, or a table expected"
    )


def _parsed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table: no member where there is no value, and JSON texts as what they say."""
    found: dict[str, Any] = {}
    for key, value in row.items():
        # NaN, NaT and the like are not equal to themselves.
        if value is None or (not isinstance(value, (Mapping, list, str)) and _is_absent(value)):
            continue
        found[str(key)] = _json(value) if key in _VALUES else value
    return found


def _is_absent(value: Any) -> bool:
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return False


def _json(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def item_of_trace(trace: Trace) -> dict[str, Any]:
    """What a trace says as an item: inputs and outputs of its root, expectations, calls of tools, documents."""
    root, info = trace.root, trace.info
    item: dict[str, Any] = {"trace_id": info.trace_id}
    item.update(duration_ns=info.duration_ns, total_tokens=info.total_tokens, cost_usd=info.cost_usd)
    if root is not None:
        item.update(inputs=root.input_value, outputs=root.output_value, **_said(root))
    expected = [one for one in trace.assessments if one.type == "expectation" and one.valid and one.span_id is None]
    item["expectations"] = {one.name: one.value for one in expected}
    item.update(spans_of(trace))
    return {key: value for key, value in item.items() if value is not None}


def spans_of(trace: Trace) -> dict[str, Any]:
    """Calls of tools and documents of a trace, by start."""
    spans = sorted(trace.spans, key=lambda span: span.start_time_ns)
    tools = [span for span in spans if span.span_type == "TOOL"]
    retrieved = [message for span in spans if span.span_type == "RETRIEVER" for message in span.messages()]
    documents = [one.content for one in retrieved if one.direction == "output" and (one.content or "").strip()]
    calls = [{"name": span.tool_name or span.name, "arguments": span.input_value} for span in tools]
    return {"tool_calls": calls, "documents": documents}


def _said(root: Span) -> dict[str, str]:
    """What a person reads of the last question and of the answer, where there are messages."""
    messages = [one for one in root.messages() if one.content]
    asked = [one.content for one in messages if one.direction == "input" and one.role == "user"]
    answered = [one.content for one in messages if one.direction == "output"]
    said = {"input_text": asked[-1:], "output_text": answered[-1:]}
    return {name: str(texts[0]) for name, texts in said.items() if texts}

"""Traces for the tests: small, made by number, the same every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000


def value(given: Any) -> dict[str, Any]:
    """A value as OTLP/JSON has it."""
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int):
        return {"intValue": str(given)}
    if isinstance(given, float):
        return {"doubleValue": given}
    if isinstance(given, list):
        return {"arrayValue": {"values": [value(item) for item in given]}}
    return {"stringValue": given}


def attributes(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP/JSON has them."""
    return [{"key": key, "value": value(item)} for key, item in given.items()]


def trace_id(number: int) -> str:
    """The id of a trace."""
    return f"{number + 1:032x}"


def span_id(number: int, place: int) -> str:
    """The id of a span of a trace."""
    return f"{(number + 1) * 16 + place:016x}"


def request(number: int, text_bytes: int = 0) -> dict[str, Any]:
    """An OTLP request with one trace of three spans: an agent, its model call and a tool that fails in every third."""
    start = START_NS + number * SECOND_NS
    question = json.dumps({"messages": [{"role": "user", "content": f"refund policy of order {number}"}]})
    answer = json.dumps({"role": "assistant", "content": f"within 30 days {'x' * text_bytes}"})
    fails = number % 3 == 0
    root = {
        "traceId": trace_id(number),
        "spanId": span_id(number, 0),
        "name": "agent",
        "kind": 2,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + SECOND_NS // 2),
        "status": {"code": 2, "message": "refund failed"} if fails else {"code": 1},
        "attributes": attributes(
            {
                "openinference.span.kind": "AGENT",
                "input.value": question,
                "output.value": answer,
                "session.id": f"s-{number // 2}",
                "user.id": f"u{number % 4}",
                "mlflow.traceTag.env": "prod" if number % 2 else "dev",
            }
        ),
    }
    call = {
        "traceId": trace_id(number),
        "spanId": span_id(number, 1),
        "parentSpanId": span_id(number, 0),
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(start + 1_000_000),
        "endTimeUnixNano": str(start + 400_000_000),
        "attributes": attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-4o" if number % 2 else "claude-sonnet-4",
                "gen_ai.usage.input_tokens": 100 + number,
                "gen_ai.usage.output_tokens": 20,
                "gen_ai.request.temperature": 0.5,
                "list": ["a", "b"],
                "input.value": question,
                "output.value": answer,
            }
        ),
        "events": [
            {"timeUnixNano": str(start + 2_000_000), "name": "first token", "attributes": attributes({"index": 1})}
        ],
        "links": [{"traceId": trace_id(999), "spanId": span_id(999, 0)}],
    }
    tool = {
        "traceId": trace_id(number),
        "spanId": span_id(number, 2),
        "parentSpanId": span_id(number, 0),
        "name": "refund",
        "startTimeUnixNano": str(start + 410_000_000),
        "endTimeUnixNano": str(start + 450_000_000),
        "status": {"code": 2, "message": "no such order"} if fails else {},
        "attributes": attributes({"openinference.span.kind": "TOOL", "tool.name": "refund"}),
    }
    resource = {"attributes": attributes({"service.name": "shop"})}
    scope = {"name": "sample", "version": "1.2"}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [root, call, tool]}]}]}


def lines(count: int, text_bytes: int = 0) -> bytes:
    """OTLP/JSON lines of so many traces."""
    return b"".join(json.dumps(request(number, text_bytes)).encode() + b"\n" for number in range(count))


def write(path: Path, count: int) -> Path:
    """A file of so many traces."""
    path.write_bytes(lines(count))
    return path

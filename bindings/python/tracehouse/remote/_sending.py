"""Spans and log records of the OpenTelemetry SDK to a server, as OTLP/HTTP: what `otel.SpanExporter` does with one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tracehouse import _native
from tracehouse.errors import Error
from tracehouse.remote._client import Client

_PROTOBUF = "application/x-protobuf"
_VARINT, _TEXT = 0, 2
_SIZES = {1: 8, 5: 4}

_Encode = Callable[[Iterable[object]], "tuple[bytes, list[str]]"]


def export_spans(db: Client, spans: Iterable[object], experiment_id: str) -> tuple[int, str | None]:
    """Sends spans; how many were not stored, and why the first was not."""
    return _send(db, "/v1/traces", _native.encode_spans, spans, experiment_id)


def export_logs(db: Client, records: Iterable[object], experiment_id: str) -> tuple[int, str | None]:
    """Sends log records; how many were not stored, and why the first was not."""
    return _send(db, "/v1/logs", _native.encode_logs, records, experiment_id)


def _send(
    db: Client, path: str, encode: _Encode, items: Iterable[object], experiment_id: str
) -> tuple[int, str | None]:
    request, rejected = encode(items)
    told = {"x-tracehouse-experiment": experiment_id}
    # Sending it again is what OTLP wants: spans are told apart by their ids.
    with db.open("POST", path, (), request, _PROTOBUF, accept=_PROTOBUF, headers=told) as answer:
        count, reason = _partial_success(answer.read())
    return len(rejected) + count, rejected[0] if rejected else reason


def _partial_success(answer: bytes) -> tuple[int, str | None]:
    """What the server did not take: field 1 of the answer of OTLP, with a count and a message."""
    count, reason = 0, None
    for number, value in _fields(answer):
        if number == 1 and isinstance(value, bytes):
            for inner, told in _fields(value):
                if inner == 1 and isinstance(told, int):
                    count = told
                elif inner == 2 and isinstance(told, bytes):
                    reason = told.decode(errors="replace") or None
    return count, reason


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message of protobuf: numbers, and texts or messages as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif kind == _TEXT:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise Error("the server's answer ends in the middle of a field")
            yield key >> 3, data[at : at + size]
            at += size
        elif kind in _SIZES:
            at += _SIZES[kind]
        else:
            raise Error("the server's answer is no protobuf")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise Error("the server's answer ends in the middle of a number")

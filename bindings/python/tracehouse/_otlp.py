"""Spans as OTLP/JSON, and as the texts that the native module stores.

The JSON of a stored attribute has two objects that stand for what JSON has not: `{"$bytes": BASE64}` and
`{"$double": "NaN"}`; a user's own object with one such key has it with another `$`.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from tracehouse.errors import InvalidInputError
from tracehouse.span import _FIELDS, _PARSED
from tracehouse.trace import Span, SpanEvent, SpanLink

_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATUS = ("UNSET", "OK", "ERROR")
_PLAIN = tuple(name for name in _FIELDS if name not in _PARSED)


def span_fields(span: Span) -> dict[str, Any]:
    """What the native module takes of a span: plain fields, and JSON texts."""
    fields: dict[str, Any] = {name: getattr(span, name) for name in _PLAIN}
    # Texts that nobody has looked at go back as they came.
    fields["attributes"] = attributes_text(span._attributes)
    fields["resource"] = attributes_text(span._resource)
    fields["extra"] = None if span._extra is None else attributes_text(span._extra)
    fields["events"] = [(event.time_ns, event.name, attributes_text(event.attributes)) for event in span.events]
    fields["links"] = [(link.trace_id, link.span_id, attributes_text(link.attributes)) for link in span.links]
    return fields


def attributes_text(given: Mapping[str, Any] | str | None) -> str:
    """Attributes as JSON text.

    Raises:
        InvalidInputError: a value that is no attribute.
    """
    if given is None:
        return "{}"
    if isinstance(given, str):
        return given
    try:
        return json.dumps(given, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(_stored(given, "attributes"), ensure_ascii=False, allow_nan=False)


def number_object(value: float) -> dict[str, str]:
    """The object that stands for a number that JSON has not."""
    return {"$double": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def _stored(value: Any, where: str) -> Any:
    """A value with what JSON has not, as it is stored."""
    if isinstance(value, float) and not math.isfinite(value):
        return number_object(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {str(key): _stored(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_stored(item, where) for item in value]
    item = getattr(value, "item", None)
    if callable(item):
        return _stored(item(), where)
    kind = type(value).__name__
    raise InvalidInputError(f"{where} is a {kind}: text, number, truth value, bytes, list or dictionary expected")


def request_of(spans: Iterable[Span]) -> dict[str, Any]:
    """An `ExportTraceServiceRequest` of spans, grouped by resource and scope in the order in which these come."""
    groups: dict[str, dict[str, list[Span]]] = {}
    for span in spans:
        extra = span.extra or {}
        resource = json.dumps(
            [
                span.resource,
                extra.get("resource_dropped_attributes_count", 0),
                extra.get("resource_schema_url", ""),
            ]
        )
        scope = json.dumps(
            [
                span.scope_name,
                span.scope_version,
                extra.get("scope_attributes", {}),
                extra.get("scope_dropped_attributes_count", 0),
                extra.get("scope_schema_url", ""),
            ]
        )
        groups.setdefault(resource, {}).setdefault(scope, []).append(span)
    return {"resourceSpans": [_resource(json.loads(resource), scopes) for resource, scopes in groups.items()]}


def _resource(resource: list[Any], scopes: dict[str, list[Span]]) -> dict[str, Any]:
    attributes, dropped, schema_url = resource
    described = _given({"attributes": _pairs(attributes), "droppedAttributesCount": dropped})
    scope_spans = [_scope(json.loads(scope), spans) for scope, spans in scopes.items()]
    return _given({"resource": described, "scopeSpans": scope_spans, "schemaUrl": schema_url})


def _scope(scope: list[Any], spans: list[Span]) -> dict[str, Any]:
    name, version, attributes, dropped, schema_url = scope
    described = {
        "name": name,
        "version": version,
        "attributes": _pairs(attributes),
        "droppedAttributesCount": dropped,
    }
    return _given({"scope": _given(described), "spans": [_span(span) for span in spans], "schemaUrl": schema_url})


def _span(span: Span) -> dict[str, Any]:
    extra = span.extra or {}
    status = {"message": span.status_message, "code": extra.get("status_code", _number(span.status, _STATUS))}
    made = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "traceState": extra.get("trace_state"),
        "parentSpanId": span.parent_span_id,
        "flags": extra.get("flags"),
        "name": span.name,
        "kind": extra.get("kind", _number(span.kind, _KINDS)),
        "startTimeUnixNano": str(span.start_time_ns),
        "endTimeUnixNano": None if span.end_time_ns is None else str(span.end_time_ns),
        "attributes": _pairs(span.attributes),
        "droppedAttributesCount": extra.get("dropped_attributes_count"),
        "events": [
            _event(event, more) for event, more in zip(span.events, _more(extra, "events", span.events), strict=True)
        ],
        "droppedEventsCount": extra.get("dropped_events_count"),
        "links": [_link(link, more) for link, more in zip(span.links, _more(extra, "links", span.links), strict=True)],
        "droppedLinksCount": extra.get("dropped_links_count"),
        "status": _given(status),
    }
    return {**_given(made), "name": span.name}


def _event(event: SpanEvent, more: dict[str, Any]) -> dict[str, Any]:
    made = {
        "timeUnixNano": str(event.time_ns),
        "attributes": _pairs(event.attributes),
        "droppedAttributesCount": more.get("dropped_attributes_count"),
    }
    return {**_given(made), "name": event.name}


def _link(link: SpanLink, more: dict[str, Any]) -> dict[str, Any]:
    return _given(
        {
            "traceId": link.trace_id,
            "spanId": link.span_id,
            "traceState": more.get("trace_state"),
            "flags": more.get("flags"),
            "attributes": _pairs(link.attributes),
            "droppedAttributesCount": more.get("dropped_attributes_count"),
        }
    )


def _more(extra: dict[str, Any], name: str, items: list[Any]) -> list[dict[str, Any]]:
    """What `extra` says of each event or link besides."""
    by_index = {entry["index"]: entry for entry in extra.get(name, [])}
    return [by_index.get(index, {}) for index in range(len(items))]


def _number(word: str, words: tuple[str, ...]) -> int:
    return words.index(word) if word in words else 0


def _given(members: dict[str, Any]) -> dict[str, Any]:
    """The members that say something: OTLP leaves defaults out."""
    return {name: value for name, value in members.items() if value not in (None, "", 0, [], {})}


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any_value(value)} for key, value in attributes.items()]


def _any_value(value: Any) -> dict[str, Any]:
    """A stored value as OTLP's `AnyValue`."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    return _object_value(value)


def _object_value(value: Mapping[str, Any]) -> dict[str, Any]:
    if len(value) == 1:
        [(key, only)] = value.items()
        if key == "$bytes":
            return {"bytesValue": only}
        if key == "$double":
            return {"doubleValue": only}
        if key.startswith("$"):
            value = {key[1:]: only}
    return {"kvlistValue": {"values": _pairs(value)}}

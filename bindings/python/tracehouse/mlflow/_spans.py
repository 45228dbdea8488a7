"""Spans: MLflow's to what the database appends, and back.

What is stored is the span after MLflow's own translation of other conventions, so that it reads back as MLflow's SQL
store gives it. Spans that came another way (a file, an exporter) get MLflow's attributes when they are read, from the
columns that the database made of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow.entities.span import LazySpan, Span
from mlflow.tracing.constant import SpanAttributeKey
from mlflow.tracing.otel.translation import translate_loaded_span_with_status

import tracehouse
from tracehouse.mlflow._attributes import attribute_texts, attribute_values, object_text, values_text
from tracehouse.mlflow._ids import id_base64, mlflow_trace_id, plain_trace_id
from tracehouse.mlflow._infos import token_counts


class Resources:
    """The resources of a batch of spans, each told once: most spans of a batch have the same one."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[str | None, str]] = {}

    def told(self, span: Span) -> tuple[str | None, str]:
        """The service of a span and the JSON object of its resource's attributes."""
        resource = id(getattr(span._span, "resource", None))
        if resource not in self._told:
            attributes = resource_attributes(span)
            self._told[resource] = (_text(attributes.get("service.name")), values_text(attributes))
        return self._told[resource]


def span_fields(span: Span, translated: Mapping[str, Any], experiment_id: str, resources: Resources) -> dict[str, Any]:
    """What the database appends for a span.

    Args:
        span: the span.
        translated: its dictionary after MLflow's translation.
        experiment_id: the experiment of its trace.
        resources: those of the spans that are appended with it.
    """
    service_name, resource = resources.told(span)
    status = translated["status"]
    return {
        "trace_id": plain_trace_id(span.trace_id),
        "span_id": span.span_id,
        "parent_span_id": span.parent_id,
        "experiment_id": experiment_id,
        "name": translated["name"],
        # MLflow's dictionaries have it from 3.18 on.
        "kind": translated["kind"].removeprefix("SPAN_KIND_") if "kind" in translated else span._span.kind.name,
        "status": status["code"].removeprefix("STATUS_CODE_"),
        "status_message": status["message"] or None,
        "start_time_ns": translated["start_time_unix_nano"],
        "end_time_ns": translated["end_time_unix_nano"],
        "service_name": service_name,
        "attributes": object_text(translated["attributes"]),
        "resource": resource,
        "events": [
            (event["time_unix_nano"], event["name"], values_text(event["attributes"] or {}))
            for event in translated["events"]
        ],
        "links": [
            (plain_trace_id(link["trace_id"]), link["span_id"], values_text(link["attributes"] or {}))
            for link in translated["links"]
        ],
    }


def resource_attributes(span: Span) -> dict[str, Any]:
    """The attributes of the resource that a span came from."""
    resource = getattr(span._span, "resource", None)
    return dict(resource.attributes) if resource is not None else {}


def stored_span(span: tracehouse.trace.Span) -> LazySpan:
    """A span of the database as MLflow has it."""
    attributes = attribute_texts(_attributes(span))
    if SpanAttributeKey.REQUEST_ID not in attributes:
        attributes = {**_told(span), **attributes}
    made = {
        "trace_id": id_base64(span.trace_id, 16),
        "span_id": id_base64(span.span_id, 8),
        "parent_span_id": None if span.parent_span_id is None else id_base64(span.parent_span_id, 8),
        "name": span.name,
        "kind": f"SPAN_KIND_{span.kind}",
        "start_time_unix_nano": span.start_time_ns,
        "end_time_unix_nano": span.end_time_ns,
        "events": [
            {"name": event.name, "time_unix_nano": event.time_ns, "attributes": attribute_values(event.attributes)}
            for event in span.events
        ],
        "status": {"code": f"STATUS_CODE_{span.status}", "message": span.status_message or ""},
        "attributes": attributes,
        "links": [
            {
                "trace_id": mlflow_trace_id(link.trace_id),
                "span_id": link.span_id,
                "attributes": attribute_values(link.attributes) or None,
            }
            for link in span.links
        ],
    }
    translate_loaded_span_with_status(made)
    return LazySpan(made)


def _attributes(span: tracehouse.trace.Span) -> str:
    kept = span._attributes
    return kept if isinstance(kept, str) else json.dumps(kept or {}, ensure_ascii=False)


def _told(span: tracehouse.trace.Span) -> dict[str, str]:
    """MLflow's attributes for a span that has none of them."""
    told: dict[str, Any] = {
        SpanAttributeKey.REQUEST_ID: mlflow_trace_id(span.trace_id),
        SpanAttributeKey.SPAN_TYPE: span.span_type,
        SpanAttributeKey.INPUTS: span.input_value,
        SpanAttributeKey.OUTPUTS: span.output_value,
        SpanAttributeKey.MODEL: span.model,
        SpanAttributeKey.MODEL_PROVIDER: span.provider,
        SpanAttributeKey.CHAT_USAGE: token_counts(span) or None,
        SpanAttributeKey.LLM_COST: None if span.cost_usd is None else {"total_cost": span.cost_usd},
    }
    return {key: json.dumps(value, ensure_ascii=False) for key, value in told.items() if value is not None}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

"""Haystack's own OpenTelemetry spans with content."""

import os

os.environ["HAYSTACK_CONTENT_TRACING_ENABLED"] = "true"

import _haystack_scenarios as scenarios
import _setup as s
from haystack import tracing
from haystack.tracing.opentelemetry import OpenTelemetryTracer

tracing.enable_tracing(OpenTelemetryTracer(s.tracing().get_tracer("haystack")))
tracing.tracer.is_content_tracing_enabled = True
scenarios.retrieval()
scenarios.agent()

"""OpenTelemetry contrib vertexai: messages as log records."""

import os

os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"

import _setup as s
import _vertexai_scenarios as scenarios
from opentelemetry.instrumentation.vertexai import VertexAIInstrumentor
from opentelemetry.sdk._events import EventLoggerProvider

VertexAIInstrumentor().instrument(tracer_provider=s.tracing(), event_logger_provider=EventLoggerProvider(s.logging()))
scenarios.run()

"""OpenTelemetry contrib botocore, which knows Bedrock: messages come as log records."""

import os

os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"

import _bedrock_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

BotocoreInstrumentor().instrument(tracer_provider=s.tracing(), logger_provider=s.logging())
scenarios.all_of(scenarios.client())

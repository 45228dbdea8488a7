"""OpenTelemetry genai-bedrock, content in span attributes."""

import os

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

import _bedrock_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.genai.bedrock import BedrockInstrumentor

BedrockInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.all_of(scenarios.client())

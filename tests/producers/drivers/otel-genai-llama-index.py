"""OpenTelemetry genai-llama-index, content in span attributes."""

import os

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

import _llama_index_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.genai.llama_index import LlamaIndexInstrumentor

LlamaIndexInstrumentor().instrument(tracer_provider=s.tracing(), logger_provider=s.logging())
scenarios.query()
scenarios.agent()
scenarios.error()

"""OpenTelemetry contrib google-genai , latest conventions, content in spans and events."""

import os

os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_AND_EVENT"
os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"

import _gemini_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

provider, logs = s.tracing(), s.logging()
GoogleGenAiSdkInstrumentor().instrument(tracer_provider=provider, logger_provider=logs)
scenarios.all_of(scenarios.client())

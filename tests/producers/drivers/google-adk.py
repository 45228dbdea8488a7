"""Google ADK's own spans and log records, latest conventions, content in both."""

import os

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_AND_EVENT"

import _adk_scenarios as scenarios
import _setup as s

s.tracing()
s.logging()
scenarios.run()

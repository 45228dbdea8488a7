"""OpenTelemetry genai-openai (the successor of openai-v2), content in one event per call."""

import _otel_openai

_otel_openai.run("gen_ai_latest_experimental", "EVENT_ONLY")

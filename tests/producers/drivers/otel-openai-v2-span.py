"""OpenTelemetry contrib openai-v2, latest conventions, content in span attributes."""

import _otel_openai

_otel_openai.run("gen_ai_latest_experimental", "SPAN_ONLY")

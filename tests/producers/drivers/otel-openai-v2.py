"""OpenTelemetry contrib openai-v2 as it is by default: one log record per message."""

import _otel_openai

_otel_openai.run(None, "true")

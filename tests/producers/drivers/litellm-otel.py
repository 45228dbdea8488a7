"""LiteLLM's own OpenTelemetry callback."""

import os

import _setup as s

if s.RECEIVER_GRPC:
    os.environ.update(OTEL_EXPORTER="otlp_grpc", OTEL_ENDPOINT=s.RECEIVER_GRPC)
else:
    os.environ.update(OTEL_EXPORTER="otlp_http", OTEL_ENDPOINT=f"{s.RECEIVER}/v1/traces")

import litellm

litellm.callbacks = ["otel"]
base = {
    "model": "openai/gpt-4o-mini",
    "api_base": f"{s.MODELS}/v1",
    "metadata": {"session_id": s.SESSION, "user_id": s.USER, "tags": ["demo"]},
    "user": s.USER,
}
messages = [{"role": "system", "content": s.SYSTEM}, {"role": "user", "content": s.WEATHER}]
litellm.completion(messages=messages, tools=[s.OPENAI_TOOL], **base)
litellm.completion(messages=[{"role": "user", "content": "Say hello."}], **base)
s.tolerant(
    lambda: litellm.completion(
        messages=[{"role": "user", "content": s.RATE_LIMIT}], num_retries=0, max_retries=0, **base
    )
)

import time

from opentelemetry import trace

time.sleep(2)
trace.get_tracer_provider().force_flush()

"""Braintrust's span processor, with its attributes as its page on OpenTelemetry has them."""

import json
import os

os.environ["BRAINTRUST_API_KEY"] = "fake"
os.environ["BRAINTRUST_API_URL"] = os.environ["RECEIVER"]

import _setup as s
from braintrust.otel import BraintrustSpanProcessor, OtelExporter
from openai import OpenAI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PROJECT = "project_name:weather"


def batches(_):
    """Sends to the path of OTLP: the processor's own exporter knows that of Braintrust's server alone."""
    return BatchSpanProcessor(OtelExporter(url=f"{s.RECEIVER}/v1/traces", parent=PROJECT))


provider = TracerProvider()
provider.add_span_processor(BraintrustSpanProcessor(parent=PROJECT, SpanProcessor=batches))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("app")
client = OpenAI()
with tracer.start_as_current_span("weather") as span:
    span.set_attribute("braintrust.span_attributes", json.dumps({"type": "task"}))
    span.set_attribute("braintrust.input", s.WEATHER)
    span.set_attribute("braintrust.tags", ["demo"])
    span.set_attribute("braintrust.metadata", json.dumps({"session_id": s.SESSION, "plan": "free"}))
    with tracer.start_as_current_span("chat") as call:
        messages = [{"role": "user", "content": s.WEATHER}]
        asked = client.chat.completions.create(model="gpt-4o-mini", messages=messages)
        call.set_attribute("braintrust.span_attributes", json.dumps({"type": "llm"}))
        call.set_attribute("braintrust.input_json", json.dumps(messages))
        call.set_attribute("braintrust.output_json", json.dumps([choice.model_dump() for choice in asked.choices]))
        call.set_attribute("braintrust.metadata", json.dumps({"provider": "openai", "model": asked.model}))
        usage = asked.usage
        counts = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
        cached = usage.prompt_tokens_details.cached_tokens
        metrics = {**counts, "tokens": usage.total_tokens, "prompt_cached_tokens": cached}
        call.set_attribute("braintrust.metrics", json.dumps(metrics))
    with tracer.start_as_current_span("get_weather") as call:
        call.set_attribute("braintrust.span_attributes", json.dumps({"type": "tool"}))
        call.set_attribute("braintrust.input_json", json.dumps({"city": "Paris"}))
        call.set_attribute("braintrust.output_json", s.get_weather("Paris"))
    span.set_attribute("braintrust.output", asked.choices[0].message.content)
provider.shutdown()

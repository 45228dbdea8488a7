"""Traceloop (OpenLLMetry) for the Cohere client."""

import cohere
import _setup as s
from opentelemetry.instrumentation.cohere import CohereInstrumentor

CohereInstrumentor().instrument(tracer_provider=s.tracing())
client = cohere.ClientV2(api_key="fake", base_url=s.MODELS)
client.chat(model="command-a-03-2025", messages=[{"role": "user", "content": s.WEATHER}], tools=[s.OPENAI_TOOL])
client.chat(model="command-a-03-2025", messages=[{"role": "user", "content": "Say hello."}])

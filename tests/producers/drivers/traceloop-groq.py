"""Traceloop (OpenLLMetry) for the Groq client."""

import _openai_scenarios as scenarios
import _setup as s
from groq import Groq
from opentelemetry.instrumentation.groq import GroqInstrumentor

GroqInstrumentor().instrument(tracer_provider=s.tracing())
client = Groq(api_key="fake", base_url=s.MODELS)
model = "llama-3.3-70b-versatile"
scenarios.tool_loop(client, model)
for _ in client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Say hello."}], stream=True):
    pass
scenarios.error(client, model)

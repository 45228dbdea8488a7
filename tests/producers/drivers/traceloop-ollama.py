"""Traceloop (OpenLLMetry) for the Ollama client."""

import _setup as s
from ollama import Client
from opentelemetry.instrumentation.ollama import OllamaInstrumentor

OllamaInstrumentor().instrument(tracer_provider=s.tracing())
client = Client(host=s.MODELS)
client.chat(model="llama3.2", messages=[{"role": "user", "content": s.WEATHER}], tools=[s.OPENAI_TOOL])
for _ in client.chat(model="llama3.2", messages=[{"role": "user", "content": "Say hello."}], stream=True):
    pass

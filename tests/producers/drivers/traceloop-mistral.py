"""Traceloop (OpenLLMetry) for the Mistral client."""

import _setup as s
from mistralai import Mistral
from opentelemetry.instrumentation.mistralai import MistralAiInstrumentor

MistralAiInstrumentor().instrument(tracer_provider=s.tracing())
client = Mistral(api_key="fake", server_url=s.MODELS)
messages = [{"role": "system", "content": s.SYSTEM}, {"role": "user", "content": s.WEATHER}]
client.chat.complete(model="mistral-small-latest", messages=messages, tools=[s.OPENAI_TOOL])
for _ in client.chat.stream(model="mistral-small-latest", messages=[{"role": "user", "content": "Say hello."}]):
    pass

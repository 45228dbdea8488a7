"""OpenInference for the Mistral client."""

import _setup as s
from mistralai.client import Mistral
from openinference.instrumentation import using_attributes
from openinference.instrumentation.mistralai import MistralAIInstrumentor

MistralAIInstrumentor().instrument(tracer_provider=s.tracing())
client = Mistral(api_key="fake", server_url=s.MODELS)
with using_attributes(session_id=s.SESSION, user_id=s.USER):
    messages = [{"role": "system", "content": s.SYSTEM}, {"role": "user", "content": s.WEATHER}]
    client.chat.complete(model="mistral-small-latest", messages=messages, tools=[s.OPENAI_TOOL])
    for _ in client.chat.stream(model="mistral-small-latest", messages=[{"role": "user", "content": "Say hello."}]):
        pass

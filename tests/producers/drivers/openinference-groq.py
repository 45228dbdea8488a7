"""OpenInference for the Groq client."""

import _openai_scenarios as scenarios
import _setup as s
from groq import Groq
from openinference.instrumentation import using_attributes
from openinference.instrumentation.groq import GroqInstrumentor

GroqInstrumentor().instrument(tracer_provider=s.tracing())
client = Groq(api_key="fake", base_url=s.MODELS)
model = "llama-3.3-70b-versatile"
with using_attributes(session_id=s.SESSION, user_id=s.USER, tags=["demo"]):
    scenarios.tool_loop(client, model)
    for _ in client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Say hello."}], stream=True
    ):
        pass
    scenarios.error(client, model)

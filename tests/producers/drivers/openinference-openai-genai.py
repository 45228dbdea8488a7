"""OpenInference for the OpenAI client, which also writes the GenAI conventions' keys."""

import os

os.environ["OPENINFERENCE_ENABLE_GENAI_SEMCONV"] = "true"

import _openai_scenarios as scenarios
import _setup as s
from openai import OpenAI
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor

OpenAIInstrumentor().instrument(tracer_provider=s.tracing())
client = OpenAI()
with using_attributes(session_id=s.SESSION, user_id=s.USER, tags=["demo"]):
    scenarios.tool_loop(client)
    scenarios.responses(client)

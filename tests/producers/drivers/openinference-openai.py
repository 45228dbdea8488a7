"""OpenInference for the OpenAI client."""

import _openai_scenarios as scenarios
import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = s.tracing()
OpenAIInstrumentor().instrument(tracer_provider=provider)

from openai import OpenAI

client = OpenAI()
with using_attributes(session_id=s.SESSION, user_id=s.USER, metadata={"plan": "free"}, tags=["demo", "weather"]):
    with provider.get_tracer("app").start_as_current_span("weather") as span:
        span.set_attribute("openinference.span.kind", "CHAIN")
        span.set_attribute("input.value", s.WEATHER)
        span.set_attribute("output.value", scenarios.tool_loop(client))
    scenarios.image(client)
    scenarios.stream(client)
    scenarios.responses(client)
    scenarios.embeddings(client)
    scenarios.error(client)

"""OpenInference for the Anthropic client."""

import _anthropic_scenarios as scenarios
import _setup as s
from anthropic import Anthropic
from openinference.instrumentation import using_attributes
from openinference.instrumentation.anthropic import AnthropicInstrumentor

AnthropicInstrumentor().instrument(tracer_provider=s.tracing())
with using_attributes(session_id=s.SESSION, user_id=s.USER, metadata={"plan": "free"}, tags=["demo"]):
    scenarios.all_of(Anthropic())

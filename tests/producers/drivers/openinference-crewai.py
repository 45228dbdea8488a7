"""OpenInference for CrewAI, with the OpenAI client below it."""

import _crewai_scenarios as scenarios
import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.crewai import CrewAIInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = s.tracing()
CrewAIInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)
with using_attributes(session_id=s.SESSION, user_id=s.USER):
    scenarios.crew()

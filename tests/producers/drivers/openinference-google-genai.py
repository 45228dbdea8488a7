"""OpenInference for the Google Gen AI client."""

import _gemini_scenarios as scenarios
import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor

GoogleGenAIInstrumentor().instrument(tracer_provider=s.tracing())
with using_attributes(session_id=s.SESSION, user_id=s.USER):
    scenarios.all_of(scenarios.client())

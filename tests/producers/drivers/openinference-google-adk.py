"""OpenInference for Google ADK."""

import _adk_scenarios as scenarios
import _setup as s
from openinference.instrumentation.google_adk import GoogleADKInstrumentor

GoogleADKInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.run()

"""Traceloop (OpenLLMetry) for CrewAI, with the OpenAI client below it."""

import _crewai_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.crewai import CrewAIInstrumentor
from opentelemetry.instrumentation.openai import OpenAIInstrumentor

provider = s.tracing()
CrewAIInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)
scenarios.crew()

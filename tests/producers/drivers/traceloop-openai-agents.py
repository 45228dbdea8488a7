"""Traceloop (OpenLLMetry) for the OpenAI Agents SDK."""

import _agents_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor

OpenAIAgentsInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.run()

"""OpenTelemetry genai-agno, content in span attributes."""

import os

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

import _setup as s
from agno.agent import Agent
from agno.models.openai import OpenAIChat
from opentelemetry.instrumentation.genai.agno import AgnoInstrumentor

AgnoInstrumentor().instrument(tracer_provider=s.tracing(), logger_provider=s.logging())
agent = Agent(name="Forecaster", model=OpenAIChat(id="gpt-4o-mini"), tools=[s.get_weather], instructions=s.SYSTEM)
agent.run(s.WEATHER, session_id=s.SESSION, user_id=s.USER)
for _ in agent.run("Say hello.", session_id=s.SESSION, user_id=s.USER, stream=True):
    pass

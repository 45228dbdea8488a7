"""Traceloop (OpenLLMetry) for Agno."""

import _setup as s
from agno.agent import Agent
from agno.models.openai import OpenAIChat
from opentelemetry.instrumentation.agno import AgnoInstrumentor

AgnoInstrumentor().instrument(tracer_provider=s.tracing())
agent = Agent(name="Forecaster", model=OpenAIChat(id="gpt-4o-mini"), tools=[s.get_weather], instructions=s.SYSTEM)
agent.run(s.WEATHER, session_id=s.SESSION, user_id=s.USER)
for _ in agent.run("Say hello.", session_id=s.SESSION, user_id=s.USER, stream=True):
    pass

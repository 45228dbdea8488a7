"""OpenInference for Microsoft Agent Framework: its own spans, translated."""

import asyncio
import os

os.environ["ENABLE_INSTRUMENTATION"] = "true"
os.environ["ENABLE_SENSITIVE_DATA"] = "true"

import _setup as s

from openinference.instrumentation.agent_framework import AgentFrameworkToOpenInferenceProcessor

s.tracing().add_span_processor(AgentFrameworkToOpenInferenceProcessor())
s.logging()

from agent_framework.observability import enable_instrumentation
from agent_framework.openai import OpenAIChatCompletionClient

enable_instrumentation(enable_sensitive_data=True)


async def main():
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", api_key="fake", base_url=f"{s.MODELS}/v1")
    agent = client.as_agent(name="forecaster", instructions=s.SYSTEM, tools=[s.get_weather])
    await agent.run(s.WEATHER, session=agent.create_session(session_id=s.SESSION))


asyncio.run(main())

"""OpenInference for the BeeAI framework: an agent that calls a tool."""

import asyncio

import _setup as s
from openinference.instrumentation.beeai import BeeAIInstrumentor

BeeAIInstrumentor().instrument(tracer_provider=s.tracing())

from beeai_framework.agents.tool_calling import ToolCallingAgent
from beeai_framework.backend import ChatModel
from beeai_framework.memory import UnconstrainedMemory
from beeai_framework.tools import tool


@tool
def get_weather(city: str) -> str:
    """Get the current weather of a city."""
    return s.get_weather(city)


async def main():
    model = ChatModel.from_name("openai:gpt-4o-mini")
    agent = ToolCallingAgent(llm=model, tools=[get_weather], memory=UnconstrainedMemory())
    await agent.run(s.WEATHER)


# The fake model does not know the schema of the framework's final answer.
s.tolerant(lambda: asyncio.run(main()))

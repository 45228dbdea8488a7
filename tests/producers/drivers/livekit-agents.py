"""LiveKit Agents' own spans: a session in text, without a room."""

import asyncio

import _setup as s
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.telemetry import set_tracer_provider
from livekit.plugins import openai

provider = s.tracing()
set_tracer_provider(provider)


@function_tool
async def get_weather(city: str) -> str:
    """Get the current weather of a city."""
    return s.get_weather(city)


async def main():
    model = openai.LLM(model="gpt-4o-mini", base_url=f"{s.MODELS}/v1", api_key="fake")
    async with model, AgentSession(llm=model) as session:
        await session.start(Agent(instructions=s.SYSTEM, tools=[get_weather]))
        await session.run(user_input=s.WEATHER)


asyncio.run(main())
provider.force_flush()

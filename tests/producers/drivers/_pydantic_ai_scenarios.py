"""Scenarios with pydantic-ai: an agent with a tool, a structured answer, a stream, an error."""

import asyncio

import _setup as s


def all_of(run=None, model="openai-chat:gpt-4o-mini", structured=True, streamed=True):
    from pydantic import BaseModel
    from pydantic_ai import Agent

    run = {"conversation_id": s.SESSION} if run is None else run

    class Forecast(BaseModel):
        city: str
        summary: str

    agent = Agent(model, name="forecaster", instructions=s.SYSTEM, retries=0)
    agent.tool_plain(s.get_weather)
    agent.run_sync(s.WEATHER, **run)
    if structured:
        Agent("anthropic:claude-sonnet-4-5", name="structured", output_type=Forecast).run_sync(
            "What is the final weather of Paris?"
        )

    async def stream():
        async with agent.run_stream("Say hello.") as result:
            await result.get_output()

    if streamed:
        asyncio.run(stream())
    s.tolerant(lambda: agent.run_sync(s.RATE_LIMIT))

"""A scenario with Google ADK: an agent with a tool, in a session of a user."""

import asyncio

import _setup as s
from google.adk.agents import LlmAgent
from google.adk.runners import InMemoryRunner
from google.genai import types


async def main():
    agent = LlmAgent(name="forecaster", model="gemini-2.5-flash", instruction=s.SYSTEM, tools=[s.get_weather])
    runner = InMemoryRunner(agent=agent, app_name="weather")
    session = await runner.session_service.create_session(app_name="weather", user_id=s.USER, session_id=s.SESSION)
    message = types.Content(role="user", parts=[types.Part(text=s.WEATHER)])
    async for _ in runner.run_async(user_id=s.USER, session_id=session.id, new_message=message):
        pass


def run():
    asyncio.run(main())

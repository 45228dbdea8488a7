"""A scenario with AutoGen: an assistant with a tool in a team of one."""

import asyncio

import _setup as s


def run():
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.conditions import MaxMessageTermination
    from autogen_agentchat.teams import RoundRobinGroupChat
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    async def get_weather(city: str) -> str:
        """Get the current weather of a city."""
        return s.get_weather(city)

    async def main():
        client = OpenAIChatCompletionClient(model="gpt-4o-mini", base_url=f"{s.MODELS}/v1")
        agent = AssistantAgent(
            "forecaster", client, tools=[get_weather], system_message=s.SYSTEM, reflect_on_tool_use=True
        )
        await RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2)).run(task=s.WEATHER)

    asyncio.run(main())

"""OpenInference for the Claude Agent SDK."""

import asyncio

import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.claude_agent_sdk import ClaudeAgentSDKInstrumentor

ClaudeAgentSDKInstrumentor().instrument(tracer_provider=s.tracing())

from claude_agent_sdk import ClaudeAgentOptions, create_sdk_mcp_server, query, tool


@tool("get_weather", "Get the current weather of a city.", {"city": str})
async def get_weather(arguments):
    return {"content": [{"type": "text", "text": s.get_weather(arguments["city"])}]}


async def main():
    servers = {"weather": create_sdk_mcp_server("weather", tools=[get_weather])}
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    options = ClaudeAgentOptions(
        mcp_servers=servers,
        allowed_tools=["mcp__weather__get_weather"],
        tools=[],
        system_prompt=s.SYSTEM,
        model="claude-sonnet-4-5",
        env=quiet,
        max_turns=4,
        setting_sources=[],
    )
    async for _ in query(prompt=s.WEATHER, options=options):
        pass


with using_attributes(session_id=s.SESSION, user_id=s.USER):
    asyncio.run(main())

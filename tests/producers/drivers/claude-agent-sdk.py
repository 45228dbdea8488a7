"""The Claude Agent SDK, whose command-line program sends traces and log records itself."""

import asyncio

import _setup as s
from claude_agent_sdk import ClaudeAgentOptions, create_sdk_mcp_server, query, tool

VARIABLES = {
    "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
    "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOG_USER_PROMPTS": "1",
    "OTEL_LOG_TOOL_DETAILS": "1",
    "OTEL_LOG_TOOL_CONTENT": "1",
    "OTEL_LOG_ASSISTANT_RESPONSES": "1",
    "OTEL_TRACES_EXPORT_INTERVAL": "500",
    "OTEL_LOGS_EXPORT_INTERVAL": "500",
}


@tool("get_weather", "Get the current weather of a city.", {"city": str})
async def get_weather(arguments):
    return {"content": [{"type": "text", "text": s.get_weather(arguments["city"])}]}


async def main():
    servers = {"weather": create_sdk_mcp_server("weather", tools=[get_weather])}
    allowed = ["mcp__weather__get_weather"]
    options = ClaudeAgentOptions(
        mcp_servers=servers,
        allowed_tools=allowed,
        tools=[],
        system_prompt=s.SYSTEM,
        model="claude-sonnet-4-5",
        env=VARIABLES,
        max_turns=4,
        setting_sources=[],
    )
    async for message in query(prompt=s.WEATHER, options=options):
        print(type(message).__name__)


asyncio.run(main())

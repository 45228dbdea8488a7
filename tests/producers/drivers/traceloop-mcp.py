"""Traceloop (OpenLLMetry) for MCP: a client and a server in one process, a call of a tool."""

import asyncio

import _setup as s
from opentelemetry.instrumentation.mcp import McpInstrumentor

McpInstrumentor().instrument(tracer_provider=s.tracing())

from mcp.server.fastmcp import FastMCP
from mcp.shared.memory import create_connected_server_and_client_session as connected

server = FastMCP("weather")
server.tool()(s.get_weather)


async def main():
    async with connected(server._mcp_server) as client:
        await client.initialize()
        await client.list_tools()
        await client.call_tool("get_weather", {"city": "Paris"})


asyncio.run(main())

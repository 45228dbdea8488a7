"""Semantic Kernel's own spans; messages come as log records."""

import asyncio
import logging
import os

os.environ["SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS"] = "true"
os.environ["SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE"] = "true"

import _setup as s

s.tracing()
provider = s.logging()

from opentelemetry.sdk._logs import LoggingHandler
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function

handler = LoggingHandler(logger_provider=provider)
handler.addFilter(logging.Filter("semantic_kernel"))
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel(logging.INFO)


class Weather:
    @kernel_function(description="Get the current weather of a city.")
    def get_weather(self, city: str) -> str:
        return s.get_weather(city)


async def main():
    agent = ChatCompletionAgent(
        name="forecaster",
        instructions=s.SYSTEM,
        service=OpenAIChatCompletion(ai_model_id="gpt-4o-mini"),
        plugins=[Weather()],
    )
    await agent.get_response(messages=s.WEATHER)
    async for _ in agent.invoke_stream(messages="Say hello."):
        pass


asyncio.run(main())

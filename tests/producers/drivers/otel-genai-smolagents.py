"""OpenTelemetry genai-smolagents, content in span attributes."""

import os

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

import _setup as s
from opentelemetry.instrumentation.genai.smolagents import SmolagentsInstrumentor
from smolagents import OpenAIServerModel, ToolCallingAgent, tool

SmolagentsInstrumentor().instrument(tracer_provider=s.tracing(), logger_provider=s.logging())


@tool
def get_weather(city: str) -> str:
    """Get the current weather of a city.

    Args:
        city: The name of the city.
    """
    return s.get_weather(city)


model = OpenAIServerModel("gpt-4o-mini", api_base=f"{s.MODELS}/v1", api_key="fake")
ToolCallingAgent(tools=[get_weather], model=model, max_steps=4).run(s.WEATHER)

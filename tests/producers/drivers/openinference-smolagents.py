"""OpenInference for smolagents: an agent that calls tools."""

import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from smolagents import OpenAIServerModel, ToolCallingAgent, tool

SmolagentsInstrumentor().instrument(tracer_provider=s.tracing())


@tool
def get_weather(city: str) -> str:
    """Get the current weather of a city.

    Args:
        city: The name of the city.
    """
    return s.get_weather(city)


model = OpenAIServerModel("gpt-4o-mini", api_base=f"{s.MODELS}/v1", api_key="fake")
with using_attributes(session_id=s.SESSION, user_id=s.USER, tags=["demo"]):
    ToolCallingAgent(tools=[get_weather], model=model, max_steps=4).run(s.WEATHER)

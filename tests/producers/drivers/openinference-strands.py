"""OpenInference for Strands Agents: their own spans, translated."""

import _setup as s
from openinference.instrumentation.strands_agents import StrandsAgentsToOpenInferenceProcessor
from strands import Agent, tool
from strands.models.openai import OpenAIModel

provider = s.tracing()
provider.add_span_processor(StrandsAgentsToOpenInferenceProcessor())
openai = OpenAIModel(client_args={"api_key": "fake", "base_url": f"{s.MODELS}/v1"}, model_id="gpt-4o-mini")
agent = Agent(
    name="forecaster",
    model=openai,
    tools=[tool(s.get_weather)],
    system_prompt=s.SYSTEM,
    trace_attributes={"session.id": s.SESSION, "user.id": s.USER},
    callback_handler=None,
)
agent(s.WEATHER)

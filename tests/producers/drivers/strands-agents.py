"""Strands Agents' own spans, with the model of OpenAI and that of Bedrock."""

import _setup as s
from strands import Agent, tool
from strands.models import BedrockModel
from strands.models.openai import OpenAIModel

provider = s.tracing()
attributes = {"session.id": s.SESSION, "user.id": s.USER, "langfuse.tags": ["demo"]}
options = {
    "tools": [tool(s.get_weather)],
    "system_prompt": s.SYSTEM,
    "trace_attributes": attributes,
    "callback_handler": None,
}
openai = OpenAIModel(client_args={"api_key": "fake", "base_url": f"{s.MODELS}/v1"}, model_id="gpt-4o-mini")
Agent(name="forecaster", model=openai, **options)(s.WEATHER)
bedrock = BedrockModel(model_id="anthropic.claude-3-5-sonnet-20240620-v1:0", endpoint_url=s.MODELS)
Agent(name="forecaster", model=bedrock, **options)(s.WEATHER)
s.tolerant(lambda: Agent(name="forecaster", model=bedrock, **options)("Please send a bad request."))

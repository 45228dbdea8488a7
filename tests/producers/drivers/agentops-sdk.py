"""AgentOps: decorators and its instrumentation of the OpenAI client."""

import os

os.environ["AGENTOPS_EXPORTER_ENDPOINT"] = os.environ["RECEIVER"] + "/v1/traces"
os.environ["AGENTOPS_API_ENDPOINT"] = os.environ["RECEIVER"]

import _openai_scenarios as scenarios
import _setup as s
import agentops
from agentops.sdk.decorators import agent, operation, tool

agentops.init(
    api_key="00000000-0000-4000-8000-000000000000",
    exporter_endpoint=f"{s.RECEIVER}/v1/traces",
    endpoint=s.RECEIVER,
    auto_start_session=False,
    default_tags=["demo"],
)

from openai import OpenAI

client = OpenAI()


@tool(name="lookup")
def lookup(city):
    return s.get_weather(city)


@operation(name="ask")
def ask(question):
    return scenarios.tool_loop(client)


@agent(name="forecaster")
class Forecaster:
    def run(self, question):
        lookup("Paris")
        return ask(question)


trace = agentops.start_trace("weather", tags=["demo"])
Forecaster().run(s.WEATHER)
scenarios.stream(client)
scenarios.error(client)
agentops.end_trace(trace, "Success")

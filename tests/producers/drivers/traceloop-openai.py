"""Traceloop (OpenLLMetry) with its SDK: decorators, association properties, the OpenAI client."""

import _openai_scenarios as scenarios
import _setup as s
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent, task, tool, workflow
from traceloop.sdk.instruments import Instruments
from traceloop.sdk.tracing.tracing import TracerWrapper

# Its own header is `Authorization`, and gRPC takes no capitals.
way = {"api_endpoint": s.OTLP.replace("http", "grpc"), "headers": {"authorization": "Bearer fake"}}
if not s.RECEIVER_GRPC:
    way = {"api_endpoint": s.RECEIVER, "api_key": "fake"}
Traceloop.init(app_name="traceloop-openai", instruments={Instruments.OPENAI}, **way)
Traceloop.set_association_properties({"session_id": s.SESSION, "user_id": s.USER, "plan": "free"})

from openai import OpenAI

client = OpenAI()


@tool(name="lookup")
def lookup(city):
    return s.get_weather(city)


@task(name="ask")
def ask(question):
    return scenarios.tool_loop(client)


@agent(name="forecaster")
def forecaster(question):
    lookup("Paris")
    return ask(question)


@workflow(name="weather")
def weather(question):
    return forecaster(question)


weather(s.WEATHER)
scenarios.image(client)
scenarios.stream(client)
scenarios.responses(client)
scenarios.embeddings(client)
scenarios.error(client)
TracerWrapper().flush()

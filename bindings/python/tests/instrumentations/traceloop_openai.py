"""Traceloop's SDK with our exporter in the place of its own."""

import _openai_scenarios as scenarios
import _setup as s
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import tool, workflow
from traceloop.sdk.instruments import Instruments
from traceloop.sdk.tracing.tracing import TracerWrapper

Traceloop.init(app_name="traceloop-openai", exporter=s.exporter(), instruments={Instruments.OPENAI})
Traceloop.set_association_properties({"session_id": s.SESSION, "user_id": s.USER})

from openai import OpenAI  # noqa: E402

client = OpenAI()


@tool(name="lookup")
def lookup(city):
    return s.get_weather(city)


@workflow(name="weather")
def weather(question):
    lookup("Paris")
    return scenarios.tool_loop(client)


weather(s.WEATHER)
scenarios.stream(client)
scenarios.error(client)
TracerWrapper().flush()

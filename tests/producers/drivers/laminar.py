"""Laminar's SDK with the OpenAI client."""

import _openai_scenarios as scenarios
import _setup as s
from lmnr import Laminar, observe

port = int(s.OTLP.rsplit(":", 1)[1])
Laminar.initialize(
    project_api_key="fake",
    base_url="http://127.0.0.1",
    http_port=port,
    grpc_port=port,
    force_http=not s.RECEIVER_GRPC,
    disable_batch=True,
)

from openai import OpenAI

client = OpenAI()


@observe(span_type="TOOL")
def lookup(city):
    return s.get_weather(city)


@observe(name="weather", session_id=s.SESSION, user_id=s.USER, tags=["demo"], metadata={"plan": "free"})
def weather(question):
    lookup("Paris")
    return scenarios.tool_loop(client)


weather(s.WEATHER)
scenarios.stream(client)
scenarios.error(client)
Laminar.flush()

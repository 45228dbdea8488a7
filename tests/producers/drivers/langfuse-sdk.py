"""Langfuse's SDK: observations of several types, its OpenAI client, scores of its own kind left out."""

import os

import _openai_scenarios as scenarios
import _setup as s

os.environ.update(
    LANGFUSE_PUBLIC_KEY="pk-lf-fake",
    LANGFUSE_SECRET_KEY="sk-lf-fake",
    LANGFUSE_BASE_URL=s.RECEIVER,
    LANGFUSE_HOST=s.RECEIVER,
    # The path of OTLP in place of that of its own server.
    LANGFUSE_OTEL_TRACES_EXPORT_PATH="v1/traces",
)

from langfuse import get_client, observe, propagate_attributes
from langfuse.openai import OpenAI

client = OpenAI()


@observe(as_type="tool")
def lookup(city):
    return s.get_weather(city)


@observe(as_type="retriever")
def retrieve(question):
    return s.DOCUMENTS[:1]


@observe(name="weather", as_type="agent")
def weather(question):
    with propagate_attributes(
        session_id=s.SESSION,
        user_id=s.USER,
        tags=["demo"],
        metadata={"plan": "free"},
        trace_name="weather trace",
        version="1.2",
    ):
        lookup("Paris")
        retrieve(question)
        return scenarios.tool_loop(client)


weather(s.WEATHER)
scenarios.stream(client)
scenarios.responses(client)
scenarios.error(client)
langfuse = get_client()
details = {"input": 56, "input_cached_tokens": 48, "cache_creation_input_tokens": 16, "output": 30}
with langfuse.start_as_current_observation(
    name="by hand", as_type="generation", model="claude-sonnet-4-5", input=[{"role": "user", "content": s.WEATHER}]
) as generation:
    generation.update(
        output="It is sunny.",
        usage_details=details,
        cost_details={"input": 0.001, "output": 0.002},
        level="WARNING",
        status_message="slow",
    )
langfuse.flush()

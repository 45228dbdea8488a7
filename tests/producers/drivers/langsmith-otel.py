"""LangSmith's SDK with its OpenTelemetry export: traceable functions and LangChain."""

import os

import _langchain_scenarios as scenarios
import _setup as s

os.environ.update(
    LANGSMITH_TRACING="true",
    LANGSMITH_OTEL_ENABLED="true",
    LANGSMITH_OTEL_ONLY="true",
    LANGSMITH_API_KEY="fake",
    LANGSMITH_ENDPOINT=s.RECEIVER,
    LANGSMITH_PROJECT="weather",
)
# The path of OTLP in place of that of its own server, `/otel/v1/traces`. It sends by HTTP.
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = s.RECEIVER

import langsmith
from langsmith import traceable


@traceable(run_type="tool", name="lookup")
def lookup(city):
    return s.get_weather(city)


@traceable(run_type="chain", name="weather", metadata={"session_id": s.SESSION, "user_id": s.USER}, tags=["demo"])
def weather(question):
    return lookup("Paris")


weather(s.WEATHER)
scenarios.agent()
scenarios.retrieval()
scenarios.error()
langsmith.Client().flush()
from langchain_core.tracers.langchain import wait_for_all_tracers

wait_for_all_tracers()
from opentelemetry import trace

trace.get_tracer_provider().force_flush()

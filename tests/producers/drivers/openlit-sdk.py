"""OpenLIT for the OpenAI and Anthropic clients."""

import _anthropic_scenarios as claude
import _openai_scenarios as scenarios
import _setup as s
import openlit

openlit.init(otlp_endpoint=s.RECEIVER, application_name="openlit", environment="test", disable_metrics=True, capture_message_content=True)

from anthropic import Anthropic
from openai import OpenAI

client = OpenAI()
scenarios.tool_loop(client)
scenarios.stream(client)
scenarios.embeddings(client)
scenarios.error(client)
claude.tool_loop(Anthropic())

from opentelemetry import trace

trace.get_tracer_provider().force_flush()

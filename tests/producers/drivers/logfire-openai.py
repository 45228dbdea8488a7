"""Logfire for the OpenAI client."""

import _openai_scenarios as scenarios
import _setup as s
import logfire

logfire.configure(
    token="fake",
    service_name="logfire-openai",
    console=False,
    inspect_arguments=False,
    advanced=logfire.AdvancedOptions(base_url=s.RECEIVER),
)

from openai import OpenAI

client = OpenAI()
logfire.instrument_openai(client)
with logfire.span("weather", session_id=s.SESSION, user_id=s.USER):
    scenarios.tool_loop(client)
scenarios.stream(client)
scenarios.responses(client)
scenarios.embeddings(client)
scenarios.error(client)
logfire.force_flush()

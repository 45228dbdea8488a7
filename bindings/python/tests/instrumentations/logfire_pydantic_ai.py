"""Logfire with pydantic-ai, without Logfire's backend: our exporter as an additional processor."""

import _pydantic_ai_scenarios as scenarios
import _setup as s
import logfire
from opentelemetry.sdk.trace.export import BatchSpanProcessor

logfire.configure(
    send_to_logfire=False,
    service_name="logfire-pydantic-ai",
    console=False,
    inspect_arguments=False,
    additional_span_processors=[BatchSpanProcessor(s.exporter())],
)
logfire.instrument_pydantic_ai()
with logfire.span("answer {user}", user=s.USER, session_id=s.SESSION, _tags=["demo"]):
    scenarios.all_of(structured=False, streamed=False)
scenarios.all_of(structured=False)
logfire.force_flush()

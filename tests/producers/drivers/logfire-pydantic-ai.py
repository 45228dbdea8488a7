"""Logfire with pydantic-ai, exporting as it does to its own backend: pending spans included."""

import _pydantic_ai_scenarios as scenarios
import _setup as s
import logfire

logfire.configure(
    token="fake",
    service_name="logfire-pydantic-ai",
    console=False,
    inspect_arguments=False,
    advanced=logfire.AdvancedOptions(base_url=s.RECEIVER),
)
logfire.instrument_pydantic_ai()
with logfire.span("answer {user}", user=s.USER, session_id=s.SESSION, _tags=["demo"]):
    scenarios.all_of(structured=False, streamed=False)
logfire.force_flush()

"""pydantic-ai's own spans, version 2 of its instrumentation."""

import _pydantic_ai_scenarios as scenarios
import _setup as s
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings

Agent.instrument_all(InstrumentationSettings(tracer_provider=s.tracing(), version=2))
scenarios.all_of()

"""pydantic-ai's own spans before version 1.0: messages as events, in logs."""

import _pydantic_ai_scenarios as scenarios
import _setup as s
from opentelemetry.sdk._events import EventLoggerProvider
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings

events = EventLoggerProvider(s.logging())
Agent.instrument_all(
    InstrumentationSettings(tracer_provider=s.tracing(), version=1, event_mode="logs", event_logger_provider=events)
)
scenarios.all_of(run={}, model="openai:gpt-4o-mini")

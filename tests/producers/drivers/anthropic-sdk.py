"""The Anthropic client's own spans, with content, in a span of the application."""

import os

os.environ["ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"] = "content"

import _anthropic_scenarios as scenarios
import _setup as s
from anthropic import Anthropic

with s.tracing().get_tracer("app").start_as_current_span("weather"):
    scenarios.all_of(Anthropic())

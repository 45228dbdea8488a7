"""Traceloop (OpenLLMetry) for the Anthropic client."""

import _anthropic_scenarios as scenarios
import _setup as s
from anthropic import Anthropic
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

AnthropicInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.all_of(Anthropic())

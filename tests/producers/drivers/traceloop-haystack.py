"""Traceloop (OpenLLMetry) for Haystack."""

import _haystack_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.haystack import HaystackInstrumentor

HaystackInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.retrieval()
scenarios.agent()

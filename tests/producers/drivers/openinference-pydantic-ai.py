"""OpenInference for pydantic-ai: its own spans, with OpenInference's attributes added by a processor."""

import _pydantic_ai_scenarios as scenarios
import _setup as s
from openinference.instrumentation.pydantic_ai import OpenInferenceSpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry import trace
from pydantic_ai import Agent

provider = TracerProvider()
provider.add_span_processor(OpenInferenceSpanProcessor())
provider.add_span_processor(BatchSpanProcessor(s.span_exporter()))
trace.set_tracer_provider(provider)
Agent.instrument_all()
scenarios.all_of()
provider.shutdown()

"""Traceloop (OpenLLMetry) for Vertex AI (it fails on answers that call functions)."""

import _setup as s
import _vertexai_scenarios as scenarios
from opentelemetry.instrumentation.vertexai import VertexAIInstrumentor

VertexAIInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.run(with_tools=False)

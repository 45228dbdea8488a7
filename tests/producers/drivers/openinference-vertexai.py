"""OpenInference for Vertex AI."""

import _setup as s
import _vertexai_scenarios as scenarios
from openinference.instrumentation.vertexai import VertexAIInstrumentor

VertexAIInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.run()

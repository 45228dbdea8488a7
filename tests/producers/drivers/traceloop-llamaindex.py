"""Traceloop (OpenLLMetry) for LlamaIndex."""

import _llama_index_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.llamaindex import LlamaIndexInstrumentor

LlamaIndexInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.query()
scenarios.agent()
scenarios.error()

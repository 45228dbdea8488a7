"""Traceloop (OpenLLMetry) for LangChain and LangGraph."""

import _langchain_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.langchain import LangchainInstrumentor

LangchainInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.all_of()

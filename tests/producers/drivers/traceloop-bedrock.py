"""Traceloop (OpenLLMetry) for Amazon Bedrock."""

import _bedrock_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.bedrock import BedrockInstrumentor

BedrockInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.all_of(scenarios.client())

"""AutoGen's own spans, with Traceloop's for the OpenAI client below, as its guide has it."""

import _autogen_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.openai import OpenAIInstrumentor

OpenAIInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.run()

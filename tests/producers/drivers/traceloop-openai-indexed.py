"""An earlier Traceloop (OpenLLMetry) for the OpenAI client, which sends messages in indexed keys."""

import _openai_scenarios as scenarios
import _setup as s
from openai import OpenAI
from opentelemetry.instrumentation.openai import OpenAIInstrumentor

OpenAIInstrumentor().instrument(tracer_provider=s.tracing())
client = OpenAI()
scenarios.tool_loop(client)
scenarios.image(client)
scenarios.stream(client)
scenarios.responses(client)
scenarios.embeddings(client)
scenarios.error(client)

"""OpenInference for LlamaIndex."""

import _llama_index_scenarios as scenarios
import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

LlamaIndexInstrumentor().instrument(tracer_provider=s.tracing())
with using_attributes(session_id=s.SESSION, user_id=s.USER, metadata={"plan": "free"}, tags=["demo"]):
    scenarios.query()
    scenarios.agent()
    scenarios.error()

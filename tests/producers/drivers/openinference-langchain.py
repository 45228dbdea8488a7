"""OpenInference for LangChain and LangGraph."""

import _langchain_scenarios as scenarios
import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.langchain import LangChainInstrumentor

LangChainInstrumentor().instrument(tracer_provider=s.tracing())
with using_attributes(session_id=s.SESSION, user_id=s.USER):
    scenarios.agent()
    scenarios.retrieval()
    scenarios.error()
# Without the context, the session is what the run's metadata says.
scenarios.chain()

"""OpenInference for Haystack."""

import _haystack_scenarios as scenarios
import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.haystack import HaystackInstrumentor

HaystackInstrumentor().instrument(tracer_provider=s.tracing())
with using_attributes(session_id=s.SESSION, user_id=s.USER):
    scenarios.retrieval()
    scenarios.agent()

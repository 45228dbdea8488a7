"""OpenInference for Amazon Bedrock."""

import _bedrock_scenarios as scenarios
import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.bedrock import BedrockInstrumentor

BedrockInstrumentor().instrument(tracer_provider=s.tracing())
with using_attributes(session_id=s.SESSION, user_id=s.USER):
    scenarios.all_of(scenarios.client())

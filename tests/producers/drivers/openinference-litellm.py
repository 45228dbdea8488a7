"""OpenInference for LiteLLM."""

import _setup as s
import litellm
from openinference.instrumentation import using_attributes
from openinference.instrumentation.litellm import LiteLLMInstrumentor

LiteLLMInstrumentor().instrument(tracer_provider=s.tracing())
base = {"model": "openai/gpt-4o-mini", "api_base": f"{s.MODELS}/v1"}
with using_attributes(session_id=s.SESSION, user_id=s.USER):
    messages = [{"role": "system", "content": s.SYSTEM}, {"role": "user", "content": s.WEATHER}]
    litellm.completion(messages=messages, tools=[s.OPENAI_TOOL], **base)
    s.tolerant(lambda: litellm.completion(messages=[{"role": "user", "content": s.RATE_LIMIT}], max_retries=0, **base))

"""OpenInference for the Portkey client."""

import _setup as s
from openinference.instrumentation import using_attributes
from openinference.instrumentation.portkey import PortkeyInstrumentor
from portkey_ai import Portkey

PortkeyInstrumentor().instrument(tracer_provider=s.tracing())
client = Portkey(api_key="fake", base_url=f"{s.MODELS}/v1", provider="openai", Authorization="fake")
with using_attributes(session_id=s.SESSION, user_id=s.USER):
    messages = [{"role": "system", "content": s.SYSTEM}, {"role": "user", "content": s.WEATHER}]
    client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[s.OPENAI_TOOL])
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}])

"""OpenInference for DSPy: a chain of thought and a ReAct agent."""

import _setup as s
import dspy
from openinference.instrumentation import using_attributes
from openinference.instrumentation.dspy import DSPyInstrumentor

DSPyInstrumentor().instrument(tracer_provider=s.tracing())
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=f"{s.MODELS}/v1", api_key="fake", cache=False))
with using_attributes(session_id=s.SESSION, user_id=s.USER):
    dspy.ChainOfThought("question -> answer")(question=s.WEATHER)
    dspy.ReAct("question -> answer", tools=[s.get_weather], max_iters=3)(question=s.WEATHER)

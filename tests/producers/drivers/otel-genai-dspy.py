"""OpenTelemetry genai-dspy, content in span attributes."""

import os

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

import _setup as s
import dspy
from opentelemetry.instrumentation.genai.dspy import DSPyInstrumentor

DSPyInstrumentor().instrument(tracer_provider=s.tracing(), logger_provider=s.logging())
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=f"{s.MODELS}/v1", api_key="fake", cache=False))
dspy.ChainOfThought("question -> answer")(question=s.WEATHER)
dspy.ReAct("question -> answer", tools=[s.get_weather], max_iters=3)(question=s.WEATHER)

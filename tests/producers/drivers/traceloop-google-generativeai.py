"""Traceloop (OpenLLMetry) for the Google Gen AI client."""

import _gemini_scenarios as scenarios
import _setup as s
from opentelemetry.instrumentation.google_generativeai import GoogleGenerativeAiInstrumentor

GoogleGenerativeAiInstrumentor().instrument(tracer_provider=s.tracing())
scenarios.all_of(scenarios.client())

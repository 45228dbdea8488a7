"""What the drivers share: an exporter to the receiver, the address of the fake models, the questions."""

import atexit
import json
import os

MODELS = os.environ["FAKE_MODELS"]
RECEIVER = os.environ["RECEIVER"]
# Where OTLP/gRPC is received, empty when all is to go by HTTP; and where who speaks either sends to.
RECEIVER_GRPC = os.environ["RECEIVER_GRPC"]
OTLP = RECEIVER_GRPC or RECEIVER

SESSION, USER = "session-1", "user-1"
SYSTEM = "You are a helpful assistant."
WEATHER = "What is the weather in Paris?"
REFUND = "How long do refunds take?"
RATE_LIMIT = "Please run into the rate limit."
DOCUMENTS = ["Refunds take 14 days, says the policy.", "Shipping is free above 50 euros."]


def get_weather(city: str) -> str:
    """Get the current weather of a city.

    Args:
        city: The name of the city.
    """
    return json.dumps({"city": city, "temperature": 21, "sky": "sunny"})


WEATHER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "The name of the city."}},
    "required": ["city"],
}
OPENAI_TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Get the current weather.", "parameters": WEATHER_SCHEMA},
}
ANTHROPIC_TOOL = {"name": "get_weather", "description": "Get the current weather.", "input_schema": WEATHER_SCHEMA}


def span_exporter():
    """The SDK's exporter of spans, to where its own variables say."""
    if RECEIVER_GRPC:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter()


def tracing(**resource):
    """A tracer provider that sends to the receiver, set as the global one."""
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create(resource))
    provider.add_span_processor(BatchSpanProcessor(span_exporter()))
    trace.set_tracer_provider(provider)
    atexit.register(provider.shutdown)
    return provider


def logging():
    """A logger provider that sends to the receiver, set as the global one."""
    from opentelemetry import _logs
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    if RECEIVER_GRPC:
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    else:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    _logs.set_logger_provider(provider)
    atexit.register(provider.shutdown)
    return provider


def tolerant(call):
    """Runs a scenario that is meant to fail; another error than the expected one is shown."""
    try:
        call()
    except Exception as error:
        print(f"expected: {type(error).__name__}")
    else:
        raise SystemExit("the scenario should have failed")

"""OpenTelemetry's own instrumentation of the OpenAI client, in the modes in which it sends content."""

import os


def run(opt_in, capture):
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = capture
    if opt_in:
        os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = opt_in
    import _openai_scenarios as scenarios
    import _setup as s

    try:
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
    except ImportError:
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    from openai import OpenAI

    provider, logs = s.tracing(), s.logging()
    OpenAIInstrumentor().instrument(tracer_provider=provider, logger_provider=logs)
    client = OpenAI()
    with provider.get_tracer("app").start_as_current_span("weather"):
        scenarios.tool_loop(client)
    scenarios.image(client)
    scenarios.stream(client)
    scenarios.responses(client)
    scenarios.embeddings(client)
    scenarios.error(client)

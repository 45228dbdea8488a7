"""A traced program that is killed: it says how many spans it ended each time `force_flush` returned.

    python otel_crash.py DATABASE

A line `flushed N` means: all of the first N spans are durable. It goes on until somebody kills it.
"""

import sys

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tracehouse.otel import SpanExporter


def main() -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(SpanExporter(sys.argv[1]), max_export_batch_size=64))
    tracer = provider.get_tracer("crash")
    ended = 0
    while True:
        for _ in range(1 + ended % 97):
            with tracer.start_as_current_span("step") as span:
                span.set_attribute("number", ended)
                span.set_attribute("input.value", "x" * (ended % 500))
            ended += 1
        provider.force_flush()
        print(f"flushed {ended}", flush=True)


if __name__ == "__main__":
    main()

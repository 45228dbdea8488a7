"""What the exporter costs: microseconds of CPU and of wall time a span, from the SDK's objects to durable.

    PYTHONPATH=bindings/python python benches/python/exporter.py [--spans 20000] [--batch 512] [--rounds 5]

The package must find a native module that is built with optimisation. Spans are made first and are not counted. CPU is
that of the whole process, its background threads included. Where `opentelemetry-exporter-otlp-proto-common` is
installed, the official encoder's share of the same work is measured beside it.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

import tracehouse
from tracehouse import _native
from tracehouse.otel import SpanExporter as TracehouseExporter


class Kept(SpanExporter):
    """Keeps spans as a processor hands them over."""

    def __init__(self):
        self.spans = []

    def export(self, spans):
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


def made(count):
    """Spans of calls of a model: 12 attributes, an event, 1.8 KB."""
    kept = Kept()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("bench")
    for number in range(0, count, 4):
        with tracer.start_as_current_span("answer"):
            for call in range(min(3, count - number - 1)):
                with tracer.start_as_current_span("chat") as span:
                    for key in range(7):
                        span.set_attribute(f"app.attribute.{key}", f"value {number} {key}")
                    span.set_attribute("gen_ai.request.model", "gpt-4o-mini")
                    span.set_attribute("gen_ai.usage.input_tokens", number + call)
                    span.set_attribute("gen_ai.request.temperature", 0.5)
                    span.set_attribute("input.value", f"question {number} " + "word " * 140)
                    span.set_attribute("output.value", f"answer {number} " + "said " * 120)
                    span.add_event("thought", {"deep": True})
    return kept.spans[:count]


def batches(spans, size):
    return [spans[start : start + size] for start in range(0, len(spans), size)]


def measured(work, spans, size):
    cpu, wall = time.process_time(), time.perf_counter()
    for batch in batches(spans, size):
        work(batch)
    return [
        (after - before) / len(spans) * 1e6
        for after, before in ((time.process_time(), cpu), (time.perf_counter(), wall))
    ]


def exported(spans, size):
    with tempfile.TemporaryDirectory() as folder, tracehouse.connect(Path(folder, "app.traces")) as database:
        exporter = TracehouseExporter(database)
        figures = measured(exporter.export, spans, size)
        assert database.sql("SELECT count(*) FROM spans").fetchone() == (len(spans),) and exporter.lost_spans == 0
    return figures


def show(name, rounds):
    cpu, wall = (statistics.median(figures) for figures in zip(*rounds, strict=True))
    print(f"{name:40} {cpu:8.1f} us CPU {wall:8.1f} us wall a span", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    spans = made(options.spans)
    size = len(_native.encode_spans(spans)[0]) / len(spans)
    print(f"{len(spans)} spans of {size:.0f} bytes, batches of {options.batch}, median of {options.rounds}")
    rounds = range(options.rounds)
    show("walk (interpreter held)", [measured(_native.encode_spans, spans, options.batch) for _ in rounds])
    show("export to acknowledged", [exported(spans, options.batch) for _ in rounds])
    try:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    except ImportError:
        return
    official = [measured(lambda batch: encode_spans(batch).SerializeToString(), spans, options.batch) for _ in rounds]
    show("official encoder alone, for comparison", official)


if __name__ == "__main__":
    main()

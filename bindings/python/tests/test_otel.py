"""The exporter under the SDK's own processors: what is written, what is lost and how that is said."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from opentelemetry import context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Link, Status, StatusCode

import tracehouse
from tracehouse.otel import SpanExporter

_HERE = Path(__file__).resolve().parent
# How often the traced program is killed; the acceptance has 30.
_KILLS = int(os.environ.get("TRACEHOUSE_EXPORTER_KILLS", "3"))


def _provider(exporter: SpanExporter, **options: object) -> TracerProvider:
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}), **options)  # type: ignore[arg-type]
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def test_spans_of_a_program_are_traces(tmp_path: Path) -> None:
    provider = _provider(SpanExporter(tmp_path / "app.traces", experiment_id="7"))
    tracer = provider.get_tracer("mine", "1.0")
    with tracer.start_as_current_span("answer") as root:
        root.set_attribute("session.id", "s1")
        with tracer.start_as_current_span("chat", links=[Link(root.get_span_context())]) as call:
            call.set_attribute("gen_ai.operation.name", "chat")
            call.set_attribute("gen_ai.request.model", "gpt-4o-mini")
            call.set_attribute("gen_ai.usage.input_tokens", 12)
            call.add_event("thought", {"deep": True})
            call.set_status(Status(StatusCode.ERROR, "refused"))
    provider.shutdown()
    with tracehouse.connect(tmp_path / "app.traces") as database:
        [trace] = database.search_traces("session = 's1'")
        assert (trace.info.name, trace.info.experiment_id, trace.info.service_name) == ("answer", "7", "shop")
        chat = next(span for span in trace.spans if span.name == "chat")
        assert (chat.model, chat.input_tokens, chat.status, chat.status_message) == (
            "gpt-4o-mini",
            12,
            "ERROR",
            "refused",
        )
        assert (chat.scope_name, chat.scope_version, len(chat.events), len(chat.links)) == ("mine", "1.0", 1, 1)


def test_an_exported_span_is_there_at_once_and_beside_other_handles(tmp_path: Path) -> None:
    with tracehouse.connect(tmp_path / "app.traces") as database:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(SpanExporter(tmp_path / "app.traces")))
        with provider.get_tracer("x").start_as_current_span("one"):
            pass
        assert database.count_traces("name = 'one'") == 1
        provider.shutdown()
        # The exporter's end is not the end of the database.
        assert database.count_traces("") == 1
        database.import_otlp(b'{"resourceSpans":[]}')


def test_a_database_that_was_given_stays_open(tmp_path: Path) -> None:
    with tracehouse.connect(":memory:") as database:
        exporter = SpanExporter(database)
        exporter.shutdown()
        exporter.shutdown()
        assert exporter.export([]) is SpanExportResult.FAILURE
        assert database.count_traces("") == 0


def test_the_parts_of_a_trace_may_come_in_batches_of_their_own() -> None:
    with tracehouse.connect(":memory:") as database:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(SpanExporter(database)))
        tracer = provider.get_tracer("x")
        with tracer.start_as_current_span("root"):
            with tracer.start_as_current_span("child"):
                pass
            [trace] = database.search_traces("")
            assert (trace.info.state, trace.info.name) == ("IN_PROGRESS", "child")
        [trace] = database.search_traces("")
        assert (trace.info.state, trace.info.name, len(trace.spans)) == ("OK", "root", 2)


def test_sampling_is_the_sdks() -> None:
    with tracehouse.connect(":memory:") as database:
        provider = _provider(SpanExporter(database), sampler=ALWAYS_OFF)
        with provider.get_tracer("x").start_as_current_span("unseen"):
            pass
        provider.shutdown()
        assert database.count_traces("") == 0


def test_secrets_are_redacted_as_in_an_import() -> None:
    with tracehouse.connect(":memory:") as database:
        provider = _provider(SpanExporter(database))
        with provider.get_tracer("x").start_as_current_span("login") as span:
            span.set_attribute("password", "hunter2")
        provider.force_flush()
        [trace] = database.search_traces("")
        assert "hunter2" not in trace.to_json()
        provider.shutdown()


@pytest.mark.parametrize("records_first", [True, False])
def test_log_records_are_kept_with_their_span(records_first: bool) -> None:
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    from tracehouse.otel import LogExporter

    with tracehouse.connect(":memory:") as database:
        spans, exporter = _provider(SpanExporter(database)), LogExporter(database)
        logs = LoggerProvider()
        logs.add_log_record_processor(SimpleLogRecordProcessor(exporter))  # type: ignore[arg-type]

        def say(context: object) -> None:
            body = {"content": "Where is my order?"}
            record = LogRecord(event_name="gen_ai.user.message", body=body, context=context)  # type: ignore[arg-type]
            logs.get_logger("x").emit(record)

        with spans.get_tracer("x").start_as_current_span("chat") as span:
            span.set_attribute("gen_ai.operation.name", "chat")
            here = context.get_current()
            if records_first:
                say(here)
        spans.force_flush()
        if not records_first:
            say(here)
        [trace] = database.search_traces("")
        assert exporter.lost_records == 0
        assert [(message.role, message.content) for message in trace.spans[0].messages()] == [
            ("user", "Where is my order?")
        ]
        spans.shutdown()
        logs.shutdown()


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    with tracehouse.connect(tmp_path / "app.traces") as database:
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(SpanExporter(database), max_queue_size=8_192))
        tracer = provider.get_tracer("x")

        def work() -> None:
            for number in range(100):
                with tracer.start_as_current_span("step") as span:
                    span.set_attribute("number", number)

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        provider.shutdown()
        assert database.sql("SELECT count(*) FROM spans").fetchone() == (1_600,)


def test_a_failed_write_is_told_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    database = tracehouse.connect(":memory:")
    exporter = SpanExporter(database)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    database.close()
    with caplog.at_level(logging.WARNING, logger="tracehouse.otel"):
        for _ in range(5):
            with provider.get_tracer("x").start_as_current_span("lost"):
                pass
    assert exporter.lost_spans == 5
    [record] = [record for record in caplog.records if record.name == "tracehouse.otel"]
    assert "1 items are lost" in record.getMessage()
    assert "closed" in record.getMessage()


def test_a_span_that_is_too_large_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    with tracehouse.connect(":memory:") as database:
        exporter = SpanExporter(database)
        provider = _provider(exporter)
        tracer = provider.get_tracer("x")
        with tracer.start_as_current_span("many") as span:
            span.set_attribute("list", list(range(120_000)))
        with tracer.start_as_current_span("small"):
            pass
        provider.shutdown()
        assert (database.count_traces(""), exporter.lost_spans) == (1, 1)
    assert "100000 values" in caplog.text


def test_a_disk_that_takes_no_more_is_told(tmp_path: Path) -> None:
    program = f"""
import logging, resource, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tracehouse.otel import SpanExporter
exporter = SpanExporter({str(tmp_path / "app.traces")!r})
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("x")
def work(count):
    for number in range(count):
        with tracer.start_as_current_span("step") as span:
            span.set_attribute("input.value", f"{{number}} " * 400)
    provider.force_flush()
work(100)
print("kept", exporter.lost_spans)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for _ in range(5):
    work(400)
print("lost", exporter.lost_spans > 0)
provider.shutdown()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "kept 0" in ended.stdout
    assert "lost True" in ended.stdout
    assert "items are lost" in ended.stdout
    with tracehouse.connect(tmp_path / "app.traces") as database:
        assert database.count_traces("") >= 100


def test_a_forked_child_is_told_and_does_not_hang(tmp_path: Path) -> None:
    program = f"""
import os, sys, logging
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tracehouse.otel import SpanExporter
exporter = SpanExporter({str(tmp_path / "app.traces")!r})
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("x")
with tracer.start_as_current_span("before"): pass
provider.force_flush()
child = os.fork()
with tracer.start_as_current_span("after"): pass
provider.force_flush()
if child == 0:
    print("child lost", exporter.lost_spans, flush=True)
    provider.shutdown()
    os._exit(0)
print("child ended", os.waitpid(child, 0)[1], flush=True)
provider.shutdown()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "child lost 1" in ended.stdout, ended.stdout
    assert "child ended 0" in ended.stdout, ended.stdout
    assert "fork" in ended.stdout, ended.stdout
    with tracehouse.connect(tmp_path / "app.traces") as database:
        assert database.count_traces("") == 2


def test_nothing_that_was_flushed_is_lost_when_the_program_is_killed(tmp_path: Path) -> None:
    chance = random.Random(19)
    for round_number in range(_KILLS):
        path = tmp_path / f"{round_number}.traces"
        arguments = [sys.executable, str(_HERE / "otel_crash.py"), str(path)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as program:
            assert program.stdout is not None
            program.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.6))
            program.kill()
            said = program.stdout.read().splitlines()
        flushed = max((int(line.split()[1]) for line in said if line.startswith("flushed ")), default=1)
        with tracehouse.connect(path) as database:
            rows = database.sql("SELECT DISTINCT json_get_int(attributes, 'number') n FROM spans ORDER BY n").fetchall()
        assert [number for (number,) in rows[:flushed]] == list(range(flushed)), round_number


def test_the_package_does_not_import_the_sdk(tmp_path: Path) -> None:
    program = "import sys, tracehouse; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ended.stdout.strip() == "[]"

"""A database behind a server: what threads, forks, signals and the SDK of OpenTelemetry do with one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sample
from remote_server import Server, serving

import tracehouse

# Runs until it is stopped.
ENDLESS = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y) WHERE x * y % 7 = 3"


@pytest.mark.parametrize("given", [{"stratify": "state", "quotas": {"OK": 1}}, {"newest_per_session": True}])
def test_quotas_and_the_newest_per_session_are_refused(sample_db: tracehouse.Database, given: dict[str, Any]) -> None:
    dataset = sample_db.create_dataset("few")
    for call in (dataset.add_traces, dataset.add_spans, dataset.plan_traces, dataset.plan_spans):
        with pytest.raises(tracehouse.NotSupportedError, match="where the folder is"):
            call(**given)


def test_no_experiment_is_not_every_experiment(sample_db: tracehouse.Database) -> None:
    none: dict[str, list[str]] = {"experiment_ids": []}
    assert sample_db.search_traces(**none) == []
    assert (sample_db.count_traces(**none), sample_db.search_trace_ids(**none)) == (0, [])
    assert (sample_db.sessions(**none), sample_db.session_traces("s-0", **none)) == ([], [])
    [point] = sample_db.metrics("traces", "trace_count", aggregations="COUNT", **none)
    assert point.values == {"COUNT": 0.0}
    assert sample_db.create_dataset("none").add_traces(**none).inserted == 0


def test_many_threads_use_one_handle(sample_db: tracehouse.Database) -> None:
    def work(number: int) -> tuple[int, int]:
        sample_db.set_tag(sample.trace_id(number % 12), f"k{number}", str(number))
        return sample_db.count_traces(), len(sample_db.sql("SELECT * FROM spans").fetchall())

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(48))) == {(12, 36)}
    tags = {key for trace in sample_db.iter_traces(page_size=5) for key in trace.info.tags if key.startswith("k")}
    assert tags == {f"k{number}" for number in range(48)}


def test_a_result_is_read_while_others_are_asked(sample_db: tracehouse.Database) -> None:
    big = sample_db.sql("SELECT value FROM generate_series(1, 300000) AS t(value)")
    assert big.fetchone() == (1,)
    assert sample_db.count_traces() == 12
    assert big.fetchmany(2) == [(2,), (3,)]
    assert sum(1 for _ in big) == 300_000 - 3
    assert sample_db.sql("SELECT 1").fetchall() == [(1,)]


def test_a_result_that_is_dropped_or_closed_ends_there(connect: Callable[..., tracehouse.Database]) -> None:
    db = connect()
    dropped = db.sql("SELECT value FROM generate_series(1, 10000000) AS t(value)")
    dropped.fetchone()
    del dropped
    left = db.sql("SELECT value FROM generate_series(1, 10000000) AS t(value)")
    left.fetchone()
    db.close()
    with pytest.raises(tracehouse.ClosedError, match="closed before its result was read"):
        left.fetchall()
    assert connect().sql("SELECT 1").fetchone() == (1,)


def test_time_runs_out_on_the_server(db: tracehouse.Database) -> None:
    with pytest.raises((tracehouse.QueryTimeoutError, tracehouse.ResourceExhaustedError)):
        db.sql(ENDLESS, timeout=0.3).fetchall()


def test_ctrl_c_ends_a_call(server: Server, tmp_path: Path) -> None:
    code = f"""
import sys, tracehouse
db = tracehouse.connect({server.url!r})
print("asks", flush=True)
try:
    db.sql({ENDLESS!r}).fetchall()
except KeyboardInterrupt:
    print(db.sql("SELECT 1").fetchone(), flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert child.stdout is not None
    assert child.stdout.readline() == "asks\n"
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=30)
    assert (said, child.returncode) == ("(1,)\n", 0)


def test_a_forked_child_has_connections_of_its_own(server: Server, tmp_path: Path) -> None:
    code = f"""
import os, tracehouse
db = tracehouse.connect({server.url!r})
db.start_trace("t")
begun = db.sql("SELECT value FROM generate_series(1, 1000000) AS t(value)")
begun.fetchone()
for _ in range(3):
    child = os.fork()
    if child == 0:
        try:
            begun.fetchall()
            os._exit(1)
        except tracehouse.ClosedError:
            pass
        del begun
        assert db.count_traces() == 1
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert db.count_traces() == 1
assert len(begun.fetchall()) == 1_000_000 - 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=120)


def test_a_server_that_comes_back_is_the_same_database(tmp_path: Path) -> None:
    folder = tmp_path / "again.traces"
    with serving(folder) as first, tracehouse.connect(first.url) as db:
        db.import_otlp(sample.lines(3))
    with serving(folder) as second:
        with pytest.raises(tracehouse.UnavailableError, match="cannot be reached"):
            tracehouse.connect(first.url).count_traces()
        with tracehouse.connect(second.url) as db:
            assert db.count_traces() == 3


def test_a_wrong_line_of_a_later_part_has_its_place(db: tracehouse.Database) -> None:
    data = sample.lines(5) + b"{broken}\n" + sample.lines(2)
    [rejected] = db.import_otlp(data, batch_lines=2).rejected
    assert (rejected.file, rejected.line) == ("<bytes>", 6)
    with pytest.raises(tracehouse.InvalidInputError, match=r"lines are counted from line 5 on"):
        db.import_otlp(data, batch_lines=2, strict=True)


def test_large_imports_go_in_parts(db: tracehouse.Database, tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    path.write_bytes(sample.lines(60, text_bytes=300_000))
    told: list[tuple[int, int | None]] = []
    report = db.import_otlp(path, progress=lambda done, total: told.append((done, total)))
    assert (report.traces, report.spans, report.rejected_count) == (60, 180, 0)
    assert len(told) > 1
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    again = db.import_otlp(path)
    assert (again.traces, again.duplicate_spans) == (0, 180)


def test_spans_of_the_sdk(db: tracehouse.Database, server: Server) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from tracehouse.otel import SpanExporter

    for number, target in enumerate((db, server.url)):
        exporter = SpanExporter(target, experiment_id=f"e{number}")
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        with provider.get_tracer("test").start_as_current_span("outer") as outer:
            outer.set_attribute("gen_ai.request.model", "gpt-4o")
            with provider.get_tracer("test").start_as_current_span("inner"):
                pass
        assert provider.force_flush()
        [trace] = db.search_traces(experiment_ids=f"e{number}")
        assert [span.name for span in trace.spans] == ["outer", "inner"]
        assert trace.spans[0].model == "gpt-4o"
        provider.shutdown()
        assert exporter.lost_spans == 0
    assert not db.closed


def test_spans_for_nobody_are_counted() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from tracehouse.otel import SpanExporter

    exporter = SpanExporter("http://127.0.0.1:1")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("lost"):
        pass
    assert exporter.lost_spans == 1
    provider.shutdown()

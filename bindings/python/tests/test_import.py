"""The way in: what may be given, what is reported, what is refused."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
import sample

import tracehouse
from tracehouse import Database, InvalidInputError, NotFoundError, Span, SpanEvent, SpanLink, StorageError


@pytest.mark.parametrize("form", ["path", "text path", "bytes", "bytearray", "memoryview", "file", "text file", "gzip"])
def test_every_source_gives_the_same(db: Database, tmp_path: Path, form: str) -> None:
    data = sample.lines(5)
    path = tmp_path / "traces.jsonl"
    path.write_bytes(data)
    source = {
        "path": lambda: path,
        "text path": lambda: str(path),
        "bytes": lambda: data,
        "bytearray": lambda: bytearray(data),
        "memoryview": lambda: memoryview(data),
        "file": lambda: io.BytesIO(data),
        "text file": lambda: io.StringIO(data.decode()),
        "gzip": lambda: gzip.compress(data),
    }[form]()
    report = db.import_otlp(source)
    assert (report.traces, report.spans, report.rejected_count, report.incomplete) == (5, 15, 0, False)
    assert report["spans"] == dict(report)["spans"] == 15
    assert report.bytes > 0
    assert report.seconds > 0
    assert str(report).startswith("15 spans of 5 new traces")
    assert db.count_traces() == 5


def test_a_request_as_a_dictionary(db: Database) -> None:
    report = db.import_otlp(sample.request(1), experiment_id="7")
    assert report.spans == 3
    assert db.get_trace_info(sample.trace_id(1)).experiment_id == "7"


def test_importing_again_adds_nothing(db: Database) -> None:
    db.import_otlp(sample.lines(2))
    again = db.import_otlp(sample.lines(2))
    assert (again.spans, again.duplicate_spans, again.traces) == (0, 6, 0)


def test_bad_lines_are_reported_with_their_place(db: Database) -> None:
    data = sample.lines(1) + b"{broken\n" + sample.lines(2)
    report = db.import_otlp(data)
    assert (report.traces, report.rejected_count) == (2, 1)
    [rejected] = report.rejected
    assert isinstance(rejected, tracehouse.Rejected)
    assert (rejected.file, rejected.line) == ("<bytes>", 2)
    assert rejected.error
    with pytest.raises(InvalidInputError, match="2"):
        db.import_otlp(data, strict=True)


def test_what_is_no_traces_is_refused(db: Database) -> None:
    with pytest.raises(InvalidInputError, match="nothing was kept: <bytes>") as raised:
        db.import_otlp(b"once upon a time\n")
    assert raised.value.kind == "InvalidInput"
    assert isinstance(raised.value, ValueError)
    assert db.import_otlp(b"").spans == 0


def test_sources_that_are_none(db: Database, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"missing\.jsonl"):
        db.import_otlp(tmp_path / "missing.jsonl")
    with pytest.raises(InvalidInputError, match="is a folder"):
        db.import_otlp(tmp_path)
    with pytest.raises(TypeError, match="a int cannot be read"):
        db.import_otlp(7)  # type: ignore[arg-type]
    file = tmp_path / "secret.jsonl"
    file.touch(mode=0)
    if not _is_root():
        with pytest.raises(StorageError, match="secret"):
            db.import_otlp(file)


def _is_root() -> bool:
    import os

    return os.geteuid() == 0


def test_what_a_file_object_raises_is_raised(db: Database) -> None:
    class Failing(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise RuntimeError("the network is gone")

    with pytest.raises(RuntimeError, match="the network is gone"):
        db.import_otlp(Failing())  # type: ignore[arg-type]


def test_progress_is_told_and_may_end_it(db: Database, tmp_path: Path) -> None:
    path = sample.write(tmp_path / "traces.jsonl", 300)
    told: list[tuple[int, int | None]] = []
    db.import_otlp(path, progress=lambda done, total: told.append((done, total)), batch_lines=10)
    assert len(told) > 5
    assert told == sorted(told)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)

    def stop(done: int, total: int | None) -> None:
        raise LookupError("enough")

    with tracehouse.connect() as other, pytest.raises(LookupError, match="enough"):
        other.import_otlp(path, progress=stop, batch_lines=1)


def test_assessments_of_a_file(sample_db: Database) -> None:
    line = {"trace_id": sample.trace_id(0), "name": "ok", "value": False, "source": {"type": "HUMAN", "id": "ana"}}
    data = json.dumps(line).encode() + b"\n" + json.dumps({**line, "trace_id": "unknown"}).encode() + b"\n"
    report = sample_db.import_assessments(data)
    assert (report.assessments, report.rejected_count) == (1, 1)
    assert sample_db.import_assessments(data).assessments == 0
    with pytest.raises(NotFoundError):
        sample_db.import_assessments(data, strict=True)
    both = sample_db.import_otlp(sample.lines(13), assessments=data.replace(b'"ok"', b'"again"'))
    assert (both.traces, both.assessments, both.rejected_count) == (1, 1, 1)


def test_spans_of_a_program(db: Database) -> None:
    span = Span(
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b7",
        "chat",
        start_time_ns=sample.START_NS,
        end_time_ns=sample.START_NS + sample.SECOND_NS,
        attributes={
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 12,
            "nan": float("nan"),
            "bytes": b"\x01\x02",
            "nested": {"a": [1, None, 2.5]},
        },
        events=[SpanEvent("token", sample.START_NS, {"n": 1})],
        links=[SpanLink("t2", "s2", {"why": "retry"})],
        session_id="s-1",
    )
    assert db.append(span).spans == 1
    trace = db.get_trace(span.trace_id)
    stored = trace.spans[0]
    assert (stored.model, stored.input_tokens, stored.session_id) == ("gpt-4o", 12, "s-1")
    assert stored.attributes["nan"] == {"$double": "NaN"}
    assert stored.attributes["bytes"] == {"$bytes": "AQI="}
    assert stored.attributes["nested"] == {"a": [1, None, 2.5]}
    assert stored.events == span.events
    assert stored.links == span.links
    assert trace.root == stored


def test_spans_that_are_wrong(db: Database) -> None:
    with pytest.raises(InvalidInputError, match="thing is a object"):
        db.append(Span("t", "s", "n", attributes={"thing": object()}))
    with pytest.raises(InvalidInputError, match="start_time_ns is soon"):
        db.append(Span("t", "s", "n", start_time_ns="soon"))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="id"):
        db.append(Span("", "s", "n"))
    assert db.count_traces() == 0


def test_a_trace_may_be_said_as_a_whole(db: Database) -> None:
    info = db.start_trace(
        "t1",
        "2026-01-31T12:00:00Z",
        duration_ms=1500,
        state="OK",
        name="answer",
        session_id="s",
        tags={"env": "prod"},
        metadata={"k": "v"},
        usage={"input_tokens": 3, "total_cost": 0.25},
        request_preview="why?",
    )
    assert (info.state, info.duration_ms, info.name, info.session_id) == ("OK", 1500.0, "answer", "s")
    assert (info.input_tokens, info.cost_usd, info.tags["env"], info.metadata["k"]) == (3, 0.25, "prod", "v")
    assert info.request_time.isoformat() == "2026-01-31T12:00:00+00:00"
    db.start_traces([tracehouse.TraceStart("t2", state="ERROR"), tracehouse.TraceStart("t3")])
    assert db.count_traces("state = 'ERROR'") == 1
    with pytest.raises(InvalidInputError, match="SOMETHING"):
        db.start_trace("t4", state="SOMETHING")
    with pytest.raises(InvalidInputError, match="tokens_in"):
        db.start_trace("t4", usage={"tokens_in": 3})

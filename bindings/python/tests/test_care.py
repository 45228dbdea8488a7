"""Care of a database: figures, checks, copies, retention, redaction, prices."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sample

import tracehouse
from tracehouse import ClosedError, ConflictError, Database, InvalidInputError, NotFoundError, Redaction, Span


def test_stats(sample_db: Database) -> None:
    stats = sample_db.stats()
    assert (stats.traces, stats.spans, stats["datasets"]) == (12, 36, 0)
    assert stats.min_time is not None
    assert stats.min_time.year == 2023
    assert stats.maintenance_failure is None


def test_sealing_merging_and_indexing(path: Path) -> None:
    with tracehouse.connect(path, settings={"background": False, "index_text": True}) as db:
        for number in range(3):
            db.import_otlp(sample.request(number))
            db.seal()
        assert db.stats().segments == 3
        merged = db.compact()
        assert (merged.segments_before, merged.segments_after) == (3, 1)
        db.index_text()
        assert db.stats().indexed_spans == 9
        assert db.settle() == 0
        assert db.refresh() in (True, False)


def test_checks_and_repairs(path: Path) -> None:
    with tracehouse.connect(path) as db:
        db.import_otlp(sample.lines(3))
        report = db.check(deep=True)
        assert report.is_clean
        assert report.deep
    assert tracehouse.check(path).is_clean
    damaged = next(path.rglob("spans*.parquet"))
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 0xFF
    damaged.write_bytes(data)
    report = tracehouse.check(path, deep=True)
    assert not report.is_clean
    assert report.findings[0].severity in {"Damage", "damage"}
    assert "parquet" in report.findings[0].at
    plan = tracehouse.repair(path)
    assert not plan.applied
    assert plan.after is None
    done = tracehouse.repair(path, apply=True)
    assert done.applied
    assert done.after is not None
    assert done.after.is_clean
    assert done.lost["spans"] >= 0
    with pytest.raises(NotFoundError):
        tracehouse.check(path.parent / "nothing")


def test_copies(path: Path, tmp_path: Path) -> None:
    with tracehouse.connect(path) as db:
        db.import_otlp(sample.lines(3))
        assert db.backup(tmp_path / "one.traces").bytes > 0
        assert tracehouse.backup(path, tmp_path / "two.traces").log_records >= 0
        with pytest.raises(ConflictError):
            db.backup(tmp_path / "one.traces")
        assert db.export_parquet(tmp_path / "out", filter="state = 'ERROR'") == {
            "traces": 1,
            "spans": 3,
            "assessments": 0,
        }
        with pytest.raises(ConflictError):
            db.export_parquet(tmp_path / "out")
    for copy in ("one.traces", "two.traces"):
        with tracehouse.connect(tmp_path / copy) as db:
            assert db.count_traces() == 3
    with tracehouse.connect() as db, pytest.raises(InvalidInputError, match="memory"):
        db.backup(tmp_path / "three.traces")


def test_retention(sample_db: Database) -> None:
    plan = sample_db.retain(max_traces=10, dry_run=True)
    assert (plan.dry_run, plan.deleted, plan.kept) == (True, {"0": 2}, 10)
    assert plan.trace_ids == [sample.trace_id(0), sample.trace_id(1)]
    assert sample_db.count_traces() == 12
    assert sample_db.retain(rules=[{"experiment_id": "0", "max_traces": 4}]).deleted == {"0": 8}
    assert sample_db.retain(max_bytes="1TB").deleted == {}
    with pytest.raises(InvalidInputError):
        sample_db.retain()
    with pytest.raises(InvalidInputError, match="max_age"):
        sample_db.retain(rules=[{"max_age": 3}])


def test_redaction(db: Database) -> None:
    assert db.redaction() == Redaction()
    changed = db.set_redaction(emails=True, rules={"ticket": r"TICKET-\d+"}, deny=["pin"])
    assert (changed.names, changed.emails, changed.rules) == (True, True, {"ticket": r"TICKET-\d+"})
    db.append(Span("t", "s", "n", attributes={"input.value": "TICKET-7 of ana@example.com", "pin": "1234"}))
    stored = db.get_trace("t").spans[0]
    assert stored.inputs == "[REDACTED:ticket] of [REDACTED:email]"
    assert stored.attributes["pin"] == "[REDACTED]"
    db.set_redaction(Redaction(names=False))
    assert db.redaction() == Redaction(names=False)
    with pytest.raises(InvalidInputError):
        db.set_redaction(rules={"broken": "("})
    with pytest.raises(TypeError, match="phones"):
        db.set_redaction(phones=True)


def test_a_function_sees_every_text() -> None:
    seen: list[tuple[str, str | None]] = []

    def redact(text: str, part: str, key: str | None) -> str | None:
        seen.append((part, key))
        return text.replace("ana", "[NAME]") if "ana" in text else None

    with tracehouse.connect(redact=redact) as db:
        report = db.append(Span("t", "s", "n", attributes={"input.value": "ask ana", "other": "text"}))
        assert report.redacted > 0
        assert db.get_trace("t").spans[0].inputs == "ask [NAME]"
        db.set_tag("t", "who", "ana")
        assert db.get_trace_info("t").tags["who"] == "[NAME]"
        assert ("attributes", "input.value") in seen
        assert {part for part, _ in seen} >= {"attributes", "tags"}


@pytest.mark.parametrize("answer", ["raise", "number", "exit"])
def test_a_function_that_fails_fails_closed(answer: str) -> None:
    def redact(text: str, part: str, key: str | None) -> str | None:
        if answer == "raise":
            raise RuntimeError(f"cannot read {text}")
        if answer == "exit":
            raise SystemExit(3)
        return 5  # type: ignore[return-value]

    with tracehouse.connect(redact=redact) as db:
        db.append(Span("t", "s", "n", attributes={"input.value": "secret"}))
        assert db.get_trace("t").spans[0].inputs == "[REDACTED:callback failed]"
        assert db.stats().redaction_failures > 0
        assert db.sql("SELECT count(*) FROM spans WHERE attributes LIKE '%secret%'").fetchone() == (0,)


def test_a_function_may_be_called_by_many_threads(path: Path) -> None:
    threads: set[int] = set()

    def redact(text: str, part: str, key: str | None) -> str | None:
        threads.add(threading.get_ident())
        return None

    with tracehouse.connect(path, redact=redact) as db:
        db.import_otlp(sample.lines(200))
        assert db.count_traces() == 200
        # The same function is the same option, another one is not.
        with tracehouse.connect(path, redact=redact) as again:
            assert again.count_traces() == 200
        with pytest.raises(ConflictError):
            tracehouse.connect(path, redact=lambda text, part, key: None)
    assert threads


def test_a_database_may_need_its_function(path: Path) -> None:
    def redact(text: str, part: str, key: str | None) -> str | None:
        return None

    with tracehouse.connect(path, redact=redact, redact_name="ours") as db:
        db.set_redaction(callback="ours")
    with tracehouse.connect(path) as db, pytest.raises(ClosedError, match="ours"):
        db.start_trace("t")
    with pytest.raises(TypeError, match="redact is a str"):
        tracehouse.connect(redact="ours")  # type: ignore[arg-type]


def test_prices(db: Database) -> None:
    def cost(trace: str, model: str) -> float | None:
        attributes = {"gen_ai.request.model": model, "gen_ai.usage.input_tokens": 1_000_000}
        db.append(Span(trace, "s", "n", attributes=attributes))
        return db.get_trace_info(trace).cost_usd

    assert any(price.is_seed for price in db.prices())
    assert cost("a", "our-model") is None
    db.set_price("our-model", 2.5, 10, cache_read=1)
    [ours] = [price for price in db.prices() if not price.is_seed]
    assert (ours.model, ours.input, ours.output, ours.cache_read, ours.cache_write) == (
        "our-model",
        2.5,
        10.0,
        1.0,
        None,
    )
    assert cost("b", "our-model") == 2.5
    db.remove_price("our-model")
    assert cost("c", "our-model") is None
    db.reset_prices(enabled=False)
    assert cost("d", "gpt-4o") is None
    db.reset_prices()
    assert cost("e", "gpt-4o") is not None
    with pytest.raises(InvalidInputError):
        db.set_price("our-model", -1, 1)


def test_functions_without_a_database() -> None:
    assert any(each.key == "gen_ai.usage.input_tokens" for each in tracehouse.conventions())
    assert tracehouse.csv_cell("=1+1").startswith("'")
    assert tracehouse.parse_time("2026-01-31").isoformat() == "2026-01-31T00:00:00+00:00"
    with pytest.raises(InvalidInputError, match="someday"):
        tracehouse.parse_time("someday")

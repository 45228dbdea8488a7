"""Many traces together: sessions, metrics, correlation."""

from __future__ import annotations

import math

import pytest
import sample

from tracehouse import Database, InvalidInputError


def test_sessions(sample_db: Database) -> None:
    sessions = sample_db.sessions(order_by="session_id ASC", limit=3)
    assert [session.session_id for session in sessions] == ["s-0", "s-1", "s-2"]
    first = sessions[0]
    assert (first.trace_count, first.error_count, first.user_id, first.experiment_ids) == (2, 1, "u1", ["0"])
    assert first.total_tokens == 241
    assert (first.last_request_time - first.first_request_time).total_seconds() == 1
    assert len(sample_db.sessions("state = 'ERROR'")) == 4
    assert sample_db.sessions(experiment_ids="none") == []
    assert [info.trace_id for info in sample_db.session_traces("s-1")] == [sample.trace_id(2), sample.trace_id(3)]
    with pytest.raises(InvalidInputError, match="order"):
        sample_db.sessions(order_by="nothing")
    with pytest.raises(InvalidInputError, match="one key"):
        sample_db.sessions(order_by=["cost", "trace_count"])
    assert sample_db.sessions(order_by=["session_id ASC"], limit=3) == sessions
    df = sessions.to_df()
    assert df["trace_count"].tolist() == [2, 2, 2]
    assert str(df["last_request_time"].dtype) == "datetime64[ns, UTC]"


def test_completed_sessions(sample_db: Database) -> None:
    found = sample_db.completed_sessions("0", sample.START_NS, sample.START_NS + 3 * sample.SECOND_NS)
    assert [session.session_id for session in found] == ["s-0", "s-1"]
    assert sample_db.completed_sessions("0", "2030-01-01", "2031-01-01") == []


def test_metrics(sample_db: Database) -> None:
    [point] = sample_db.metrics("traces", "trace_count")
    assert (point.metric, point.values, point.dimensions) == ("trace_count", {"COUNT": 12.0}, {})
    [latency] = sample_db.metrics("traces", "latency", aggregations=["AVG", "P50", 99.5, "max"])
    assert latency.values == {"AVG": 500.0, "P50": 500.0, "P99.5": 500.0, "MAX": 500.0}
    by_name = sample_db.metrics("spans", "span_count", dimensions="span_name", filters="span.status = 'ERROR'")
    assert {point.dimensions["span_name"]: point.values["COUNT"] for point in by_name} == {"agent": 4, "refund": 4}
    buckets = sample_db.metrics(
        "traces",
        "trace_count",
        start="2023-11-14T22:13:20Z",
        end="2023-11-14T22:13:29.999Z",
        interval_seconds=5,
    )
    assert [point.values["COUNT"] for point in buckets] == [5, 5]
    assert buckets[0].dimensions["time_bucket"].startswith("2023-11-14T22:13:20")
    for wrong in (
        {"view": "trees", "metric": "trace_count"},
        {"view": "traces", "metric": "height"},
        {"view": "traces", "metric": "latency", "aggregations": "MODE"},
        {"view": "traces", "metric": "latency", "dimensions": "colour"},
    ):
        with pytest.raises(InvalidInputError):
            sample_db.metrics(**wrong)  # type: ignore[arg-type]


def test_correlation(sample_db: Database) -> None:
    same = sample_db.filter_correlation("state = 'ERROR'", "span.name = 'refund' AND span.status = 'ERROR'")
    assert (round(same.npmi, 9), same.joint_count, same.total_count) == (1.0, 4, 12)
    none = sample_db.filter_correlation("state = 'ERROR'", "user_id = 'nobody'")
    assert math.isnan(none.npmi)
    part = sample_db.filter_correlation("state = 'ERROR'", "tags.env = 'prod'", base="user_id = 'u1'")
    assert part.total_count == 3

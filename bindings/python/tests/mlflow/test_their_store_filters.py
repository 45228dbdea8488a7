"""Filters that MLflow's own tests want refused: with `TRACEHOUSE_MLFLOW_FILTERS=mlflow` they are, in MLflow's words."""

from __future__ import annotations

from typing import Any

import pytest
from model_pair import Pair, Refusal, open_stores
from model_spans import info, trace_id

# What the database answers unless told otherwise, and MLflow refuses.
WIDER = (
    "name IN ('foo', 'bar')",
    "tags.env IN ('prod')",
    "status = 'OK' OR status = 'ERROR'",
    "NOT status = 'OK'",
    "span.duration = '1000'",
    "span.parent_id = '123'",
    "feedback.quality = 3",
    "prompt LIKE '%qa%'",
    "prompt ILIKE '%QA%'",
    "prompt RLIKE 'q.*1'",
    "prompt != 'test/1'",
    "session = 's'",
)
BOTH = ("", "status = 'OK'", "tags.env = 'prod' AND name = 'N'", "feedback.quality >= 3", "prompt = 'qa/1'")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    made = Pair(open_stores(tmp_path_factory.mktemp("their-filters")))
    for store in (made.ours, made.theirs):
        store.start_trace(info(trace_id(1), name="N", tags={"env": "prod"}, metadata={"mlflow.trace.session": "s"}))
    return made


def search(pair: Pair, text: str) -> tuple[Any, Any]:
    return pair.both(lambda store: [one.trace_id for one in store.search_traces(["1"], text)[0]])


@pytest.mark.parametrize("text", WIDER)
def test_filters_of_mlflow_alone(pair: Pair, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = search(pair, text)
    assert isinstance(theirs, Refusal)
    assert not isinstance(ours, Refusal)
    monkeypatch.setenv("TRACEHOUSE_MLFLOW_FILTERS", "mlflow")
    assert search(pair, text) == (theirs, theirs)
    for call in (
        lambda store: store.calculate_trace_filter_correlation(["1"], text, "status = 'OK'").joint_count,
        lambda store: store.calculate_trace_filter_correlation(["1"], "status = 'OK'", "status = 'OK'", text).npmi,
        lambda store: store.find_completed_sessions("1", 0, 2**40, filter_string=text),
    ):
        assert isinstance(pair.same(call), Refusal)


@pytest.mark.parametrize("text", BOTH)
@pytest.mark.parametrize("taken", ["", "all", "mlflow"])
def test_filters_that_both_know(pair: Pair, text: str, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEHOUSE_MLFLOW_FILTERS", taken)
    ours, theirs = search(pair, text)
    assert not isinstance(theirs, Refusal)
    assert ours == theirs


def test_filters_of_nobody(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEHOUSE_MLFLOW_FILTERS", "MLflow")
    ours, _ = search(pair, "")
    assert ours.message == "TRACEHOUSE_MLFLOW_FILTERS is 'MLflow': 'all' or 'mlflow' expected"

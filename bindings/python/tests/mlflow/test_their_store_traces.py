"""What MLflow's own tests ask of a store about traces and assessments, beyond the calls of `test_traces`.

Each call is made on MLflow's store and on this package's, and both must say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from mlflow.entities import Feedback
from model_pair import Pair, open_stores
from model_spans import feedback, info, span, trace_id

from tracehouse.mlflow import _costs

TRACE = trace_id(1)
RUN, ARTIFACTS = "mlflow.assessment.sourceRunId", "mlflow.artifactLocation"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(open_stores(tmp_path_factory.mktemp("their-traces")))


@pytest.fixture
def pair(shared: Pair) -> Pair:
    """Both stores without traces."""
    for store in (shared.ours, shared.theirs):
        store.delete_traces("1", max_timestamp_millis=2**40)
    return shared


def costs(total: float) -> dict[str, Any]:
    """The attribute of a span that has cost so much."""
    return {"mlflow.llm.cost": {"input_cost": total / 4, "output_cost": total * 3 / 4, "total_cost": total}}


def cost_span(number: int, parent: int | None = None, total: float | None = None, trace: str = TRACE) -> Any:
    attributes: Mapping[str, Any] = {"mlflow.traceTag.mlflow.traceName": "N"} if parent is None else {}
    return span(trace, number, parent=parent, attributes={**attributes, **({} if total is None else costs(total))})


# Batches of spans: number, parent, cost.
TREES: dict[str, list[list[tuple[Any, ...]]]] = {
    "one span": [[(1, None, 0.5)]],
    "two roots": [[(1, None, 0.5)], [(2, None, 0.25)]],
    "children alone": [[(1, None), (2, 1, 0.5), (3, 1, 0.125)]],
    "a parent has theirs in its own": [[(1, None, 0.625), (2, 1, 0.5), (3, 1, 0.125)]],
    "children before the parent": [[(2, 1, 0.5), (3, 1, 0.125)], [(1, None, 0.625)]],
    "spans without a cost between": [[(1, None, 0.5), (2, 1), (3, 2), (4, 3, 0.5)], [(5, None, 0.25)]],
    "a chain": [[(1, None, 0.5), (2, 1, 0.5), (3, 2, 0.5)]],
    "a span that is sent again": [[(1, None, 0.5)], [(1, None, 0.75), (2, None, 0.25)]],
    "no cost": [[(1, None), (2, 1)]],
}


@pytest.mark.parametrize("name", TREES)
def test_the_parts_of_a_cost(pair: Pair, name: str) -> None:
    for batch in TREES[name]:
        pair.same(lambda store, batch=batch: len(store.log_spans("1", [cost_span(*one) for one in batch])))
    pair.same(lambda store: store.get_trace_info(TRACE).cost)
    pair.same(lambda store: store.get_trace(TRACE).info.cost)
    pair.same(lambda store: [one.info.trace_metadata for one in store.batch_get_traces([TRACE])])


@pytest.mark.parametrize("name", TREES)
def test_the_parts_of_the_costs_of_many_traces(pair: Pair, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of more traces is read by statements; their ids are in pieces."""
    monkeypatch.setattr(_costs, "_READ_WHOLE_MAX", 0)
    monkeypatch.setattr(_costs, "_IDS_MAX", 2)
    for number in range(1, 6):
        for batch in TREES[name]:
            made = [cost_span(*(*one, None)[:3], trace=trace_id(number)) for one in batch]
            pair.same(lambda store, made=made: len(store.log_spans("1", made)))
    pair.same(lambda store: [(one.trace_id, one.cost) for one in store.search_traces(locations=["1"])[0]])


def test_the_cost_of_a_start_is_not_added_to(pair: Pair) -> None:
    said = {"mlflow.trace.cost": '{"input_cost": 1.0, "output_cost": 0.0, "total_cost": 1.0}'}
    pair.same(lambda store: len(store.log_spans("1", [cost_span(1, None, 0.5)])))
    pair.both(lambda store: store.start_trace(info(TRACE, name="N", metadata=said)))
    pair.same(lambda store: store.get_trace_info(TRACE))


@pytest.mark.parametrize(
    "said", [{"total_cost": 0.5}, {"input_cost": 0.5, "total_cost": 0.5}, {"input_cost": "x", "total_cost": 0.5}]
)
def test_of_a_cost_without_all_its_parts_the_total_is_told(pair: Pair, said: dict[str, Any]) -> None:
    pair.ours.log_spans("1", [span(TRACE, 1, attributes={"mlflow.llm.cost": said})])
    assert pair.ours.get_trace_info(TRACE).cost == {"total_cost": 0.5}


def test_a_trace_whose_spans_are_in_a_file_is_said_to_be(pair: Pair) -> None:
    """The client reads the file then; were the trace left out, nobody would."""
    pair.same(lambda store: store.start_trace(info(TRACE, name="N")))
    pair.same(lambda store: len(store.log_spans("1", [cost_span(1, trace=trace_id(2))])))
    for ids in ([TRACE], [trace_id(2), TRACE]):
        refusal = pair.same(lambda store, ids=ids: store.batch_get_traces(ids))
        assert refusal.message == "Trace data not stored in tracking store"
    for wanted in ([], ["0"]):
        assert pair.same(lambda store, wanted=wanted: store.batch_get_traces([TRACE], experiment_ids=wanted)) == []


@pytest.mark.parametrize("trace", [TRACE, "tr-not-of-digits"])
def test_where_artifacts_are_is_a_tag_that_can_be_deleted(pair: Pair, trace: str) -> None:
    pair.same(lambda store: store.start_trace(info(trace, tags={"a": "b"})))
    for _ in range(2):
        pair.same(lambda store: store.delete_trace_tag(trace, ARTIFACTS))
        assert pair.same(lambda store: store.get_trace_info(trace).tags) == {"a": "b"}
    pair.same(lambda store: store.set_trace_tag(trace, ARTIFACTS, "x/y/z"))
    pair.same(lambda store: store.get_trace_info(trace))
    pair.same(lambda store: store.delete_trace_tag("tr-none", ARTIFACTS))


@pytest.mark.parametrize("metadata", [None, {"a": "b"}, {RUN: "another"}])
def test_an_assessment_is_of_a_run(pair: Pair, metadata: dict[str, str] | None) -> None:
    """Whether its metadata says so or not."""

    def made() -> Feedback:
        given = feedback(TRACE, "a-1", "f", 1, metadata=None if metadata is None else dict(metadata))
        given.run_id = "run"
        return given

    pair.same(lambda store: store.start_trace(info(TRACE, name="N")))
    assert pair.same(lambda store: store.create_assessment(made()))["run_id"] == "run"
    pair.same(lambda store: store.get_trace_info(TRACE))
    for changes in ({"rationale": "why"}, {"metadata": {RUN: "third"}}):
        pair.same(lambda store, changes=changes: store.update_assessment(TRACE, "a-1", **changes).run_id)
    pair.same(lambda store: store.get_assessment(TRACE, "a-1").metadata)


@pytest.mark.parametrize("experiment", ["not a number", "12abc", ""])
def test_traces_are_deleted_of_an_experiment(pair: Pair, experiment: str) -> None:
    refusal = pair.same(lambda store: store.delete_traces(experiment, max_timestamp_millis=1))
    assert refusal.code == "INVALID_PARAMETER_VALUE"

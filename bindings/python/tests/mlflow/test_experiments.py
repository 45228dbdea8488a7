"""Deletes that touch both stores, and links: the same as in MLflow's own store, and nothing left over in either."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.entities import IssueSeverity
from mlflow.entities.entity_type import EntityAssociationType as Kind
from mlflow.entities.model_registry import PromptVersion
from mlflow.exceptions import MlflowException
from model_pair import Pair, Refusal
from model_spans import feedback, info, issue, span, trace_id

RUN = "mlflow.assessment.sourceRunId"


def _names(store: Any, number: int) -> dict[str, bool]:
    """The names of the assessments of a trace, and whether they are valid."""
    return {one.name: one.valid for one in store.get_trace_info(trace_id(number)).assessments}


def _run(store: Any, experiment: str = "1") -> str:
    return store.create_run(experiment, "ana", 1, [], "run").info.run_id


def _database(stores: SimpleNamespace) -> Any:
    """The database below our store, to look at what is left in it."""
    return stores.ours._access.reading()


def _judged(store: Any) -> tuple[str, str]:
    """Two traces with verdicts of two runs, and of none."""
    runs = _run(store), _run(store)
    for number in (1, 2):
        store.start_trace(info(trace_id(number)))
        for name, run in zip(("first", "second"), runs, strict=True):
            store.create_assessment(feedback(trace_id(number), f"a-{number}-{name}", name, True, metadata={RUN: run}))
        store.create_assessment(feedback(trace_id(number), f"a-{number}-own", "own", True, metadata={"k": runs[0]}))
    return runs


# Runs.


def test_a_deleted_run_takes_its_assessments_with_it(stores: SimpleNamespace) -> None:
    for store in stores.both:
        first, second = _judged(store)
        store.delete_run(first)
        assert store.get_run(first).info.lifecycle_stage == "deleted"
        assert _names(store, 1) == _names(store, 2) == {"second": True, "own": True}
        store.restore_run(first)
        assert store.get_run(first).info.lifecycle_stage == "active"
        store.delete_run(second)
        assert _names(store, 1) == _names(store, 2) == {"own": True}


def test_a_deleted_experiment_takes_those_of_its_runs_in_any_experiment(stores: SimpleNamespace) -> None:
    for store in stores.both:
        other = store.create_experiment("other")
        store.start_trace(info(trace_id(1), experiment="1"))
        for number in range(5):
            run = _run(store, other)
            store.create_assessment(feedback(trace_id(1), f"a-{number}", f"{number}", 1, metadata={RUN: run}))
        run = _run(store, "1")
        store.create_assessment(feedback(trace_id(1), "a-stays", "stays", 1, metadata={RUN: run}))
        store.delete_experiment(other)
        assert _names(store, 1) == {"stays": True}
        store.restore_experiment(other)
        assert _names(store, 1) == {"stays": True}


def test_what_a_run_overrode_is_valid_again(stores: SimpleNamespace) -> None:
    """A difference: with MLflow's store no verdict is left, as the one that was overridden stays invalid."""
    valid = {}
    for store in stores.both:
        store.start_trace(info(trace_id(1)))
        run = _run(store)
        store.create_assessment(feedback(trace_id(1), "a-old", "ok", False))
        store.create_assessment(feedback(trace_id(1), "a-new", "ok", True, overrides="a-old", metadata={RUN: run}))
        store.delete_run(run)
        valid[store] = _names(store, 1)
    assert valid == {stores.ours: {"ok": True}, stores.theirs: {"ok": False}}


def test_a_run_that_cannot_be_deleted_keeps_its_assessments(stores: SimpleNamespace) -> None:
    pair = Pair(stores)
    for store in stores.both:
        _judged(store)
    refusal = pair.same(lambda store: store.delete_run("0" * 32))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "RESOURCE_DOES_NOT_EXIST"
    assert pair.same(lambda store: _names(store, 1)) == {"first": True, "second": True, "own": True}


def test_a_delete_that_the_database_refuses_leaves_the_run(
    stores: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = stores.ours
    first, _ = _judged(ours)
    with monkeypatch.context() as patched:
        patched.setattr(ours, "_write", _broken)
        with pytest.raises(MlflowException, match="broken"):
            ours.delete_run(first)
        with pytest.raises(MlflowException, match="broken"):
            ours.delete_experiment("1")
    assert ours.get_run(first).info.lifecycle_stage == "active"
    assert ours.get_experiment("1").lifecycle_stage == "active"
    assert len(_names(ours, 1)) == 3
    ours.delete_run(first)
    assert set(_names(ours, 1)) == {"second", "own"}


def _broken(*_: Any, **__: Any) -> None:
    raise MlflowException("broken")


# What `mlflow gc` does.


def test_a_run_that_is_gone_is_linked_to_nothing(stores: SimpleNamespace) -> None:
    ours = stores.ours
    run, other = _run(ours), _run(ours)
    ours.start_trace(info(trace_id(1)))
    ours.start_trace(info(trace_id(2), metadata={"mlflow.sourceRun": run}))
    ours.link_traces_to_run([trace_id(1), trace_id(2)], run)
    ours.link_traces_to_run([trace_id(1)], other)
    ours.delete_run(run)
    ours._hard_delete_run(run)
    assert ours._get_deleted_runs() == []
    with pytest.raises(MlflowException):
        ours.get_run(run)
    assert _found(ours, f"run_id = '{run}'") == [2], "the trace still says in which run it was made"
    assert _found(ours, f"run_id = '{other}'") == [1]
    refusal = Pair(stores).same(lambda store: store._hard_delete_run("0" * 32))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "RESOURCE_DOES_NOT_EXIST"


def _found(store: Any, filter_string: str | None = None) -> list[int]:
    infos, _ = store.search_traces(filter_string=filter_string, order_by=["request_id ASC"])
    return [int(one.trace_id.removeprefix("tr-"), 16) for one in infos]


def _filled(store: Any) -> str:
    """An experiment with all that may belong to one, beside another that has the like."""
    doomed = store.create_experiment("doomed")
    for number in range(1, 5):
        experiment = doomed if number < 3 else "1"
        store.log_spans(experiment, [span(trace_id(number), 1)])
        store.start_trace(info(trace_id(number), experiment=experiment, tags={"k": "v"}))
        store.create_assessment(feedback(trace_id(number), f"a-{number}", "ok", True))
    for experiment in (doomed, "1"):
        run = _run(store, experiment)
        store.link_traces_to_run([trace_id(1), trace_id(3)], run)
        queue = store.create_review_queue(experiment, name="queue", queue_type="custom")
        store.add_items_to_review_queue(queue.queue_id, item_ids=[trace_id(1), trace_id(3)])
    return doomed


def _gc(store: Any, experiment: str) -> None:
    """What `mlflow gc` calls for an experiment."""
    for run in store._get_deleted_runs():
        store._hard_delete_run(run)
    store._hard_delete_experiment(experiment)


def _assert_gone(stores: SimpleNamespace, experiment: str) -> None:
    """Nothing of the experiment or of its traces is in either store."""
    ours = stores.ours
    with pytest.raises(MlflowException):
        ours.get_experiment(experiment)
    assert _found(ours) == [3, 4]
    with _database(stores) as database:
        for table in ("spans", "assessments", "tags"):
            rows = database.sql(f"SELECT DISTINCT trace_id FROM {table} ORDER BY trace_id")
            assert [trace for (trace,) in rows] == [trace_id(3)[3:], trace_id(4)[3:]]
        assert all(experiment not in one.experiment_ids for one in database.datasets())
    with ours.ManagedSessionMaker() as session:
        connection = session.connection()
        held = connection.exec_driver_sql("SELECT item_id FROM review_queue_items ORDER BY item_id").fetchall()
        assert held == [(trace_id(3),)]
        assert connection.exec_driver_sql("SELECT DISTINCT experiment_id FROM runs").fetchall() == [(1,)]


def test_an_experiment_that_is_gone_leaves_nothing(stores: SimpleNamespace) -> None:
    ours = stores.ours
    doomed = _filled(ours)
    _belong_to(stores, "both", doomed, "1")
    _belong_to(stores, "one", doomed)
    ours.delete_experiment(doomed)
    assert _found(ours, "tags.k = 'v'") == [1, 2, 3, 4], "a deleted experiment can still be restored"
    _gc(ours, doomed)
    _assert_gone(stores, doomed)
    with _database(stores) as database:
        assert {one.name: one.experiment_ids for one in database.datasets()} == {"both": ["1"], "one": []}


def _belong_to(stores: SimpleNamespace, name: str, *experiments: str) -> None:
    """Makes a dataset of experiments in the process that writes, which is this one."""
    stores.ours._access.write("set_tag", trace_id=trace_id(3)[3:], key="k", value="v")
    with _database(stores) as database:
        database.create_dataset(name, experiment_ids=experiments)


@pytest.mark.parametrize("fails", ["delete_traces", "unlink_run", "unlink_experiment"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_gc_that_is_cut_short_in_the_database(
    stores: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, fails: str, after: bool
) -> None:
    ours = stores.ours
    doomed = _filled(ours)
    ours.delete_experiment(doomed)
    write = ours._write

    def dying(operation: str, /, **given: Any) -> Any:
        if operation == fails and not after:
            raise Killed
        answer = write(operation, **given)
        if operation == fails:
            raise Killed
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(ours, "_write", dying)
        with pytest.raises(Killed):
            _gc(ours, doomed)
    assert ours.get_experiment(doomed).lifecycle_stage == "deleted"
    _gc(ours, doomed)
    _assert_gone(stores, doomed)


class Killed(BaseException):
    """The process ends here: nothing that is called handles it."""


@pytest.mark.parametrize("part", ["_hard_delete_run", "_hard_delete_experiment"])
def test_gc_that_is_cut_short_between_the_stores(
    stores: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """All is done in the database, nothing yet in MLflow's file."""
    ours = stores.ours
    doomed = _filled(ours)
    ours.delete_experiment(doomed)

    def dying(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(stores.theirs), part, dying)
        with pytest.raises(Killed):
            _gc(ours, doomed)
    assert ours.get_experiment(doomed).lifecycle_stage == "deleted"
    _gc(ours, doomed)
    _assert_gone(stores, doomed)


def test_only_a_deleted_experiment_can_go(stores: SimpleNamespace) -> None:
    ours = stores.ours
    doomed = _filled(ours)
    pair = Pair(stores)
    stores.theirs.create_experiment("doomed")
    for experiment in (doomed, "77"):
        refusal = pair.same(lambda store, experiment=experiment: store._hard_delete_experiment(experiment))
        assert isinstance(refusal, Refusal)
        assert refusal.code == "RESOURCE_DOES_NOT_EXIST"
    assert _found(ours) == [1, 2, 3, 4]


# Links.


def test_links_of_datasets(stores: SimpleNamespace) -> None:
    ours = stores.ours
    ours.start_trace(info(trace_id(3)))
    for number in range(5):
        _belong_to(stores, f"d{number}", "1", *(["0"] if number % 2 else []))
    with _database(stores) as database:
        ids = {one.name: one.dataset_id for one in database.datasets()}
    ordered = [ids[f"d{number}"] for number in range(5)]
    experiments = (Kind.EXPERIMENT, Kind.EVALUATION_DATASET)
    assert ours.search_entities_by_destination("1", *experiments) == ordered
    assert ours.search_entities_by_destination(["0"], *experiments) == [ordered[1], ordered[3]]
    assert ours.search_entities_by_destination(["77"], *experiments) == []
    pages, token = [], None
    while True:
        page = ours.search_entities_by_destination("1", *experiments, max_results=2, page_token=token)
        pages.append(list(page))
        token = page.token
        if token is None:
            break
    assert pages == [ordered[:2], ordered[2:4], ordered[4:]]
    linked = ours.search_entities_by_source(ordered[1], Kind.EVALUATION_DATASET, Kind.EXPERIMENT)
    assert sorted(linked) == ["0", "1"]
    assert ours.search_entities_by_source(ordered[0], Kind.RUN, Kind.EXPERIMENT) == []


def test_links_of_traces(stores: SimpleNamespace) -> None:
    pair = Pair(stores)
    for store in stores.both:
        for number in range(1, 6):
            store.start_trace(info(trace_id(number), number))
        store.link_traces_to_run([trace_id(2)], "run-1")
        store.link_traces_to_run([trace_id(4)], "run-1")
        store.link_prompts_to_trace(trace_id(1), [PromptVersion("qa", 1, "hello")])
        store.link_prompts_to_trace(trace_id(5), [PromptVersion("qa", 1, "hello"), PromptVersion("it's", 2, "hello")])

    def linked(*given: Any) -> list[str]:
        return pair.same(lambda store: sorted(store.search_entities_by_destination(*given)))

    assert linked("run-1", Kind.RUN, Kind.TRACE) == [trace_id(2), trace_id(4)]
    assert linked(["run-2", "no run's"], Kind.RUN, Kind.TRACE) == []
    assert linked(["qa/1"], Kind.PROMPT_VERSION, Kind.TRACE) == [trace_id(1), trace_id(5)]
    assert linked(["qa/1", "it's/2", "nothing"], Kind.PROMPT_VERSION, Kind.TRACE) == [trace_id(1), trace_id(5)]
    with pytest.raises(MlflowException) as error:
        stores.ours.search_entities_by_source(trace_id(1), Kind.TRACE, Kind.PROMPT_VERSION)
    assert error.value.error_code == "NOT_IMPLEMENTED"


# Issues.


def _with_issues(store: Any) -> list[str]:
    """Issues of all severities, with none to four traces; their names tell them in both stores."""
    for number in range(1, 5):
        store.start_trace(info(trace_id(number)))
    ids = []
    severities = (None, *IssueSeverity)
    for number in range(10):
        made = store.create_issue(
            experiment_id="1", name=f"issue {number}", description="d", severity=severities[number % 5]
        )
        ids.append(made.issue_id)
        for trace in range(1, 1 + number * 3 % 5):
            store.create_assessment(issue(trace_id(trace), f"a-{number}-{trace}", made.issue_id, made.name))
        if number == 3:
            store.create_assessment(issue(trace_id(1), "a-twice", made.issue_id, made.name))
    store.create_assessment(feedback(trace_id(1), "a-other", ids[0], True))
    return ids


def _issues(store: Any, **question: Any) -> list[tuple[str, int | None]]:
    """All pages."""
    found, token = [], None
    while True:
        page = store.search_issues("1", page_token=token, **question)
        found += [(one.name, one.trace_count) for one in page]
        token = page.token
        if not token:
            return found


def test_issues_with_the_count_of_their_traces(stores: SimpleNamespace) -> None:
    pair = Pair(stores)
    for store in stores.both:
        _with_issues(store)
    counted = pair.same(lambda store: _issues(store, include_trace_count=True))
    assert len(counted) == 10
    assert {count for _, count in counted} == {0, 1, 2, 3, 4}
    for most in (1, 3, 10):
        assert pair.same(lambda store, m=most: _issues(store, include_trace_count=True, max_results=m)) == counted
    pair.same(lambda store: _issues(store))
    pair.same(lambda store: _issues(store, include_trace_count=True, order_by=["name DESC"], max_results=4))
    pair.same(lambda store: _issues(store, include_trace_count=True, severities=["high", "low"], view="basic"))
    pair.same(lambda store: _issues(store, include_trace_count=True, filter_string="status = 'resolved'"))
    total = pair.same(lambda store: store.search_issues("1", None, 2, None, True, include_total_count=True).total_count)
    assert total == 10
    for wrong in ({"max_results": 0}, {"order_by": ["nothing"]}, {"filter_string": "nothing = 'x'"}):
        refusal = pair.same(lambda store, wrong=wrong: _issues(store, include_trace_count=True, **wrong))
        assert isinstance(refusal, Refusal)
        assert refusal.code == "INVALID_PARAMETER_VALUE"


# Archival.


def test_traces_are_not_archived(stores: SimpleNamespace) -> None:
    assert not stores.ours.supports_trace_archival
    with pytest.raises(MlflowException) as error:
        stores.ours.archive_traces(resolved_trace_archival_location="file:///x", broader_retention="1d")
    assert error.value.error_code == "NOT_IMPLEMENTED"

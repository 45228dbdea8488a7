"""Evaluation datasets: search, names, datasets that were made without MLflow, MLflow's client, random calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import mlflow
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.genai import datasets
from test_datasets import HEX, INVALID, Twins, opened, stores, text

from tracehouse.mlflow._datasets import Datasets

__all__ = ["opened", "stores"]

# Names twice, one that the database cannot have, one that it has as an id.
NAMES = ("alpha", "beta", "alpha", "Älpha_1", "a\nb", "", "100%", "d-" + HEX, "x" * 300)

FILTERS = [
    "name = 'alpha'",
    "name != 'alpha'",
    "name LIKE 'al%'",
    "name LIKE 'AL%'",
    "name ILIKE 'AL%'",
    "name LIKE '_lpha%'",
    "name LIKE 'a%b'",
    "name LIKE '%pha\\_1'",
    "name IN ('alpha', 'beta')",
    "name NOT IN ('alpha')",
    "name RLIKE '^a'",
    "name > 'alpha'",
    "name = ('alpha')",
    "name = alpha",
    "`name` = 'alpha'",
    "created_by = 'ana'",
    "created_by != 'ana'",
    "created_by RLIKE 'n'",
    "created_by IN ('ana')",
    "last_updated_by ILIKE 'A%'",
    "last_updated_by IS NULL",
    "created_time > 5",
    "created_time <= 5",
    "created_time > 5.5",
    "created_time = '5'",
    "created_time LIKE '5'",
    "last_update_time != 5",
    "tags.team = 'x'",
    "tags.team != 'x'",
    "tags.team ILIKE 'X%'",
    "tags.team = 'x' AND tags.n = '1'",
    "tags.`team` = 'x'",
    "tags.team = 1",
    "tags.team RLIKE 'x'",
    "tags.team IS NULL",
    "tags.tracehouse.mlflow.name LIKE '%'",
    "tag.team = 'x'",
    "dataset_id = 'd-1'",
    "name = 'alpha' OR name = 'beta'",
    "name = 'alpha' AND",
    "'alpha'",
]
ORDERS: list[list[str] | None] = [
    None,
    ["name"],
    ["name DESC", "created_time ASC"],
    ["last_update_time asc"],
    ["created_by"],
    ["tags.team"],
    ["dataset_id"],
    ["name, created_time"],
    [""],
]


@pytest.fixture
def named(stores: SimpleNamespace) -> list[Twins]:
    """Datasets of all those names in the order in which they were made."""
    tags: list[dict[str, str] | None]
    tags = [{"team": "x", "n": "1", "mlflow.user": "ana"}, {"team": "y"}, {"team": "X", "mlflow.user": "bo"}, None]
    return [
        Twins(stores, name, tags=tags[at % 4], experiment_ids=[str(at % 2)] if at % 3 else None)
        for at, name in enumerate(NAMES)
    ]


def names(store: Any, **search: Any) -> Any:
    """The names that a search finds, or what it says of a mistake."""
    try:
        return [found.name for found in store.search_datasets(**search)]
    except MlflowException as error:
        return error.error_code, error.message.split(" Valid keys are")[0]


def test_searches_find_what_theirs_find(named: list[Twins]) -> None:
    ours, theirs = named[0].stores.both
    for filter_string in FILTERS:
        said = [names(store, filter_string=filter_string) for store in (ours, theirs)]
        # Datasets of one millisecond are ordered by ids.
        assert [sorted(one) for one in said] == [sorted(said[1])] * 2, filter_string
    for search in (
        {"experiment_ids": ["0"]},
        {"experiment_ids": ["0", "1"]},
        {"experiment_ids": ["5"]},
        {"experiment_ids": []},
        {"experiment_ids": ["1"], "filter_string": "name LIKE 'a%'"},
        {"max_results": 0},
        {"max_results": 10**9},
        {"page_token": "none"},
    ):
        assert sorted(names(ours, **search)) == sorted(names(theirs, **search)), search


def test_orders_are_theirs(named: list[Twins]) -> None:
    ours, theirs = named[0].stores.both
    for order_by in ORDERS:
        said = [names(store, order_by=order_by) for store in (ours, theirs)]
        if order_by and order_by[0].startswith("name"):
            assert said[0] == said[1]
        assert sorted(said[0]) == sorted(said[1]), order_by
    created = [found.created_time for found in ours.search_datasets()]
    assert created == sorted(created, reverse=True)


def test_datasets_come_in_pages(named: list[Twins]) -> None:
    ours = named[0].stores.ours
    whole = [found.dataset_id for found in ours.search_datasets()]
    for size in (1, 4, 9, 10):
        found, token = [], None
        while not found or token:
            page = ours.search_datasets(max_results=size, page_token=token)
            found += [one.dataset_id for one in page]
            token = page.token
        assert found == whole


def test_names_are_unique_in_the_database_alone(named: list[Twins]) -> None:
    for name, twins in zip(NAMES, named, strict=True):
        assert twins.same(lambda store, at: store.get_dataset(at))["name"] == name
    stored = [twins.ours.name for twins in named]
    assert stored[:4] == ["alpha", "beta", "alpha (2)", "Älpha_1"]
    assert len(set(stored)) == len(stored)
    # The next of a name whose first is gone has it plain again.
    named[0].same(lambda store, at: store.delete_dataset(at))
    assert Twins(named[0].stores, "alpha").ours.name == "alpha"


def test_a_dataset_that_was_made_without_mlflow_is_one(stores: SimpleNamespace) -> None:
    # From now on this process writes.
    stores.ours.create_dataset("of mlflow")
    with stores.ours._access.reading() as database:
        made = database.create_dataset("own", experiment_ids="1", tags={"team": "x"})
        source = {"source_type": "TRACE", "source_data": {"trace_id": HEX, "session_id": "s"}}
        made.merge_records([{"inputs": {"q": 1}, "source": source}, {"inputs": "text", "expectations": {"a": 1}}])
    [found] = stores.ours.search_datasets(filter_string="name = 'own' AND tags.team = 'x'", experiment_ids=["1"])
    assert (found.dataset_id, found.tags, found.created_by) == (made.id, {"team": "x"}, None)
    assert json.loads(found.profile) == {"num_records": 2}
    first, second = stores.ours._load_dataset_records(made.id)[0]
    # As MLflow itself would have made it of the trace.
    assert (first.source_id, first.outputs, first.expectations) == (f"tr-{HEX}", None, {})
    assert first.source.source_data == {"trace_id": f"tr-{HEX}", "session_id": "s"}
    assert (second.inputs, second.source_type, second.expectations) == ("text", "HUMAN", {"a": 1})
    stores.ours.upsert_dataset_records(made.id, [{"inputs": {"q": 1}, "outputs": {"a": 2}, "tags": {"k": "v"}}])
    first = stores.ours._load_dataset_records(made.id)[0][0]
    assert (first.source_id, first.outputs, first.tags) == (f"tr-{HEX}", {"a": 2}, {"k": "v"})
    assert made.records()[0].source_trace_id == HEX
    digest = stores.ours.get_dataset(made.id).digest
    made.merge_records([{"inputs": {"q": 2}}])
    assert stores.ours.get_dataset(made.id).digest != digest


@pytest.fixture
def uris(stores: SimpleNamespace) -> Iterator[list[str]]:
    """The addresses of both stores, for MLflow's client."""
    before = mlflow.get_tracking_uri()
    yield [f"tracehouse:{stores.folder / 'app.traces'}", f"sqlite:///{stores.folder / 'mlflow.db'}"]
    mlflow.set_tracking_uri(before)


def of_client() -> list[Any]:
    """What a user of `mlflow.genai.datasets` sees."""
    mlflow.set_experiment("one")
    seen: list[Any] = []
    for question in ("a", "b"):
        with mlflow.start_span("ask") as span:
            span.set_inputs({"question": question})
            span.set_outputs({"answer": question.upper()})
    mlflow.flush_trace_async_logging()
    mlflow.log_expectation(trace_id=span.trace_id, name="answer", value="B!")
    made = datasets.create_dataset("of client", tags={"team": "x"})
    seen += [made.name, made.experiment_ids, made.schema, made.profile]
    traces = mlflow.search_traces(return_type="list")
    records = [{"inputs": {"question": "b"}, "expectations": {"more": 1}}, {"inputs": {"question": "c"}}]
    frame = pd.DataFrame([{"inputs": {"question": "d"}, "expectations": {"x": 1.5}}])
    for merged in (traces, mlflow.search_traces(), records, frame, [traces[0], {}], [{"inputs": {"goal": "g"}}], [{}]):
        seen += [said(lambda merged=merged: made.merge_records(merged) is made), json.loads(made.profile)]
        found = datasets.get_dataset(name="of client")
        table = found.to_df()
        rows = [text(record) for record in mlflow.MlflowClient().get_dataset(found.dataset_id).records]
        plain = [
            row.replace(trace.info.trace_id, "TRACE") for row in rows for trace in traces if trace.info.trace_id in row
        ]
        seen += [list(table.columns), len(table), sorted(plain), json.loads(found.schema), found.digest == made.digest]
    [identity] = table[[row == {"question": "c"} for row in table["inputs"]]]["dataset_record_id"]
    seen += [made.delete_records([identity]), len(made.to_df()), sorted(made.to_dict())]
    datasets.set_dataset_tags(dataset_id=made.dataset_id, tags={"a": 1})
    datasets.delete_dataset_tag(dataset_id=made.dataset_id, key="team")
    seen.append(datasets.add_dataset_to_experiments(dataset_id=made.dataset_id, experiment_ids=["0"]).experiment_ids)
    seen.append(sorted({**datasets.get_dataset(dataset_id=made.dataset_id).tags}))
    seen.append([found.name for found in datasets.search_datasets(experiment_ids="0")])
    datasets.remove_dataset_from_experiments(dataset_id=made.dataset_id, experiment_ids=["0"])
    seen.append([found.name for found in datasets.search_datasets(experiment_ids="0")])
    datasets.delete_dataset(dataset_id=made.dataset_id)
    return [*seen, said(lambda: datasets.get_dataset(name="of client"))]


def said(call: Callable[[], Any]) -> Any:
    """What a call gives or says."""
    try:
        return call()
    except MlflowException as error:
        return error.error_code, error.message


def test_the_client_sees_the_same(uris: list[str]) -> None:
    seen = []
    for uri in uris:
        mlflow.set_tracking_uri(uri)
        seen.append(of_client())
    assert seen[0] == seen[1]
    assert INVALID in str(seen[0])


VALUES = st.sampled_from([1, 1.0, True, None, "é", "\ud800", "", [], {}, {"b": 1, "a": [2]}, 10**20, -0.0, 0, 0.1])
MEMBERS = st.dictionaries(st.sampled_from(["a", "b", "é", "goal"]), VALUES, max_size=2)
SOURCES = st.sampled_from(
    [
        None,
        {},
        {"source_type": "HUMAN", "source_data": {"source_id": "h", "n": 1}},
        {"source_type": "code"},
        {"source_type": "UNSPECIFIED"},
        {"source_type": "TRACE", "source_data": {"trace_id": f"tr-{HEX}"}},
        {"source_type": "TRACE", "source_data": {}},
    ]
)
TAGS = st.one_of(st.none(), st.fixed_dictionaries({}, optional={"k": VALUES, "mlflow.user": st.sampled_from("ab")}))


def records(outputs: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    parts = {
        "inputs": MEMBERS,
        "outputs": outputs,
        "expectations": st.one_of(st.none(), MEMBERS),
        "tags": TAGS,
        "source": SOURCES,
    }
    return st.lists(st.fixed_dictionaries({}, optional=parts), max_size=4)


def calls(outputs: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Calls by name with what they are given."""
    # Theirs cannot take the same one twice.
    experiments = st.lists(st.sampled_from(["0", "1", "77"]), max_size=2, unique=True)
    keys = st.sampled_from(["k", "l"])
    kinds = {
        "upsert": records(outputs),
        "delete_records": st.sets(st.integers(0, 5), max_size=3),
        "set_tags": st.dictionaries(keys, st.one_of(st.none(), st.integers(0, 2), st.text("x%_'", max_size=2))),
        "delete_tag": keys,
        "add": experiments,
        "remove": experiments,
    }
    # Records make the most difference.
    chosen = st.sampled_from([*kinds, "upsert", "upsert", "upsert"])
    return st.lists(chosen.flatmap(lambda kind: st.tuples(st.just(kind), kinds[kind])), min_size=3, max_size=8)


def run(store: Any, dataset_id: str, kind: str, given: Any) -> Any:
    if kind == "upsert":
        return store.upsert_dataset_records(dataset_id, json.loads(json.dumps(given)))
    if kind == "delete_records":
        ordered = sorted(store._load_dataset_records(dataset_id)[0], key=text)
        return store.delete_dataset_records(
            dataset_id, [record.dataset_record_id for at, record in enumerate(ordered) if at in given]
        )
    method = {
        "set_tags": store.set_dataset_tags,
        "delete_tag": store.delete_dataset_tag,
        "add": store.add_dataset_to_experiments,
        "remove": store.remove_dataset_from_experiments,
    }[kind]
    return method(dataset_id, given)


@settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_calls_leave_both_the_same(stores: SimpleNamespace, data: st.DataObject) -> None:
    # Theirs fails inside when a dataset has outputs that are objects after others.
    outputs = data.draw(st.sampled_from([st.one_of(st.none(), MEMBERS), st.sampled_from([None, "t", 1, [1.5]])]))
    twins = Twins(stores, tags={"mlflow.user": "a"})
    for kind, given_to in data.draw(calls(outputs)):
        twins.same(lambda store, at, kind=kind, given_to=given_to: run(store, at, kind, given_to))
        twins.same_content()
    twins.same(lambda store, at: store.delete_dataset(at))


def test_the_parts_say_all_that_mlflow_asks_of_datasets() -> None:
    from mlflow.store.tracking.abstract_store import AbstractStore

    asked = {name for name in vars(AbstractStore) if "dataset" in name} - {"_search_datasets"}
    assert asked - vars(Datasets).keys() == set()

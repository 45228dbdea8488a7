"""Evaluation datasets: what the store answers, beside MLflow's own.

`Twins` makes a dataset in both stores and calls both; ids, times and digests are what they may differ in.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.entities import DatasetRecord
from mlflow.entities.evaluation_dataset import EvaluationDataset
from mlflow.exceptions import MlflowException
from model_pair import open_stores

import tracehouse
from tracehouse.mlflow import _dataset_entities as entities
from tracehouse.mlflow._dataset_json import input_key

HEX = "0123456789abcdef" * 2
INVALID, MISSING = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"


class Twins:
    """A dataset in our store and in theirs."""

    def __init__(self, stores: SimpleNamespace, name: str = "twins", **given: Any) -> None:
        self.stores = stores
        self.ids = [store.create_dataset(name, **given).dataset_id for store in stores.both]

    def both(self, call: Callable[[Any, str], Any]) -> list[Any]:
        """What a call on each store gives, as plain values; of a refusal what it says."""
        return [
            self._answer(store, call, dataset_id) for store, dataset_id in zip(self.stores.both, self.ids, strict=True)
        ]

    def same(self, call: Callable[[Any, str], Any]) -> Any:
        """What a call gives, which must be the same on both."""
        ours, theirs = self.both(call)
        assert ours == theirs
        return ours

    def merge(self, *records: dict[str, Any]) -> Any:
        """Merges records into both, and compares all that is in them then."""
        # A store may change what it is given.
        counts = self.same(lambda store, at: store.upsert_dataset_records(at, [dict(record) for record in records]))
        self.same_content()
        return counts

    def same_content(self) -> list[str]:
        """The records, which must be the same in both, as must be all that is said of the dataset."""
        self.same(lambda store, at: [store.get_dataset(at), sorted(store.get_dataset_experiment_ids(at))])
        records: list[str] = self.same(lambda store, at: sorted(map(text, store._load_dataset_records(at)[0])))
        return records

    def _answer(self, store: Any, call: Callable[[Any, str], Any], dataset_id: str) -> Any:
        try:
            return plain(call(store, dataset_id))
        except MlflowException as error:
            return error.error_code, error.message.replace(dataset_id, "ID").split(" Valid keys are")[0]

    @property
    def ours(self) -> tracehouse.dataset.Dataset:
        """The dataset in the database."""
        with self.stores.ours._access.reading() as database:
            return database.dataset(self.ids[0])


def plain(value: Any) -> Any:
    """Entities as dictionaries without ids, times and digests."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, DatasetRecord):
        return json.loads(text(value))
    if not isinstance(value, EvaluationDataset):
        return value
    said = {part: getattr(value, part) for part in ("name", "tags", "created_by", "last_updated_by")}
    # Theirs is the text `null` once the last record is deleted.
    profile = json.loads(value.profile or "null")
    return {**said, "schema": json.loads(value.schema or "null"), "profile": profile}


def text(record: DatasetRecord) -> str:
    """A record as text: NaN is equal to itself, and 1 is not 1.0."""
    said = {
        part: getattr(record, part)
        for part in ("inputs", "outputs", "expectations", "tags", "source_id", "source_type", "created_by")
    }
    source = record.source.to_dict() if record.source else None
    return json.dumps({**said, "last_updated_by": record.last_updated_by, "source": source}, sort_keys=True)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Both stores, and the folder that they are in: to make theirs takes seconds."""
    folder = tmp_path_factory.mktemp("stores")
    return SimpleNamespace(folder=folder, **vars(open_stores(folder)))


@pytest.fixture
def stores(opened: SimpleNamespace) -> SimpleNamespace:
    """Both stores without a dataset."""
    for store in opened.both:
        for found in store.search_datasets():
            store.delete_dataset(found.dataset_id)
    return opened


@pytest.fixture
def twins(stores: SimpleNamespace) -> Twins:
    """An empty dataset of experiment 1."""
    return Twins(stores, tags={"team": "x", "mlflow.user": "ana"}, experiment_ids=["1"])


RECORDS: list[dict[str, Any]] = [
    {"inputs": {"q": 1}, "outputs": {"a": 1}, "expectations": {"a": 2}, "tags": {"k": "v", "mlflow.user": "bo"}},
    {"inputs": {"q": 1}, "expectations": {"b": [1, {"c": 2.5}]}, "tags": {"k": "w", "mlflow.user": "cy"}},
    {"inputs": {"q": 1}, "outputs": None, "tags": {"n": 3}},
    {"inputs": {"q": 1}, "expectations": {}, "tags": {}},
    {"inputs": {"q": 1}, "outputs": {"a": 3}, "source": {"source_type": "CODE"}},
    {"inputs": {}},
    {},
    {"inputs": {"q": 2}, "outputs": None},
    {"inputs": {"q": 3}, "outputs": {}, "expectations": {}},
    {"inputs": {"q": 4}, "source": {"source_type": "human"}},
    {"inputs": {"q": 5}, "source": {"source_type": "DOCUMENT", "source_data": {"source_id": 5, "page": 1}}},
    {"inputs": {"q": 6}, "source": {"source_type": "UNSPECIFIED"}},
    {"inputs": {"q": 6}, "outputs": {"new": 1}, "source": {"source_type": "HUMAN"}},
    {"inputs": {"q": 7}, "source": {"source_type": "UNSPECIFIED", "source_data": {"x": 1}}},
    {"inputs": {"q": 8}, "source": {}, "unknown": 1},
    {"inputs": {"q": 9}, "source": {"source_type": "TRACE", "source_data": {"trace_id": f"tr-{HEX}"}}},
    {"inputs": {"q": 9}, "outputs": {"z": 1}, "source": {"source_type": "TRACE", "source_data": {"trace_id": "tr-1"}}},
    {"inputs": {"q": 9}, "outputs": None, "source": {"source_type": "TRACE"}},
    {"inputs": {"q": "\ud800 é 😀 \u2028 \x00"}, "tags": {"mlflow.user": 3}},
    {"inputs": {"q": 10}, "tags": {"mlflow.user": None}},
    {"inputs": {1: 2, 3: None}},
]


def test_each_record_makes_of_the_dataset_what_it_makes_of_theirs(twins: Twins) -> None:
    for record in RECORDS:
        twins.merge(record)
    assert twins.merge(*RECORDS) == {"inserted": 0, "updated": len(RECORDS)}


def test_records_merged_at_once_are_merged_one_after_the_other(twins: Twins) -> None:
    counts = twins.merge(*RECORDS)
    assert counts["inserted"] + counts["updated"] == len(RECORDS)
    assert twins.merge() == {"inserted": 0, "updated": 0}


def test_numbers_that_json_has_not_are_kept(stores: SimpleNamespace) -> None:
    twins = Twins(stores)
    odd = {"inputs": {"x": float("nan"), "y": [float("inf"), {"z": -float("inf")}]}, "outputs": float("nan")}
    for store, dataset_id in zip(stores.both, twins.ids, strict=True):
        assert store.upsert_dataset_records(dataset_id, [dict(odd)]) == {"inserted": 1, "updated": 0}
        assert store.upsert_dataset_records(dataset_id, [dict(odd)]) == {"inserted": 0, "updated": 1}
    twins.same(lambda store, at: list(map(text, store._load_dataset_records(at)[0])))


@pytest.mark.parametrize(
    "wrong",
    [
        "text",
        {"inputs": None},
        {"inputs": ["x"]},
        {"inputs": {"a": {1}}},
        {"inputs": {1: 1, "1": 2}},
        {"inputs": {}, "expectations": [1]},
        {"inputs": {}, "tags": "x"},
        {"inputs": {}, "tags": {"tracehouse.mlflow.outputs": 1}},
        {"inputs": {}, "source": {"source_type": "nowhere"}},
        {"inputs": {}, "source": {"source_type": "HUMAN", "more": 1}},
        {"inputs": {}, "source": {"source_type": "HUMAN", "source_data": ["x"]}},
        {"inputs": {}, "source": "HUMAN"},
    ],
)
def test_a_wrong_record_is_refused_with_all_that_came_with_it(stores: SimpleNamespace, wrong: Any) -> None:
    dataset_id = stores.ours.create_dataset("one").dataset_id
    with pytest.raises(MlflowException) as refused:
        stores.ours.upsert_dataset_records(dataset_id, [{"inputs": {"a": 1}}, wrong])
    assert refused.value.error_code == INVALID
    assert stores.ours._load_dataset_records(dataset_id) == ([], None)


def test_outputs_may_be_an_object_after_a_text(stores: SimpleNamespace) -> None:
    # Their schema cannot take the second: it fails inside.
    dataset_id = stores.ours.create_dataset("one").dataset_id
    stores.ours.upsert_dataset_records(dataset_id, [{"inputs": {"a": 1}, "outputs": "text"}])
    stores.ours.upsert_dataset_records(dataset_id, [{"inputs": {"a": 2}, "outputs": {"o": 1}}])
    assert json.loads(stores.ours.get_dataset(dataset_id).schema)["outputs"] == "string"


def nested(levels: int, innermost: Any) -> Any:
    return innermost if levels == 0 else {"k": nested(levels - 1, innermost)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 0.0}, {"a": -0.0}),
        ({"a": 1e2}, {"a": 100.0}),
        ({"a": 10**30}, {"a": 1e30}),
        ({"a": 10**30}, {"a": 10**30 + 1}),
        ({"a": 0.1 + 0.2}, {"a": 0.3}),
        ({"a": "é"}, {"a": "e\u0301"}),
        ({"a": "\u00e9"}, {"a": json.loads('"\\u00e9"')}),
        ({"a": "\ud83d\ude00"}, {"a": "😀"}),
        ({"é": 1, "a": 2}, {"a": 2, "é": 1}),
        ({"a": "\ud800"}, {"a": "\ud801"}),
        ({"a": float("nan")}, {"a": None}),
        ({"a": []}, {"a": {}}),
        ({"a": None}, {}),
        ({1: 1}, {"1": 1}),
        (nested(60, {"p": 1, "q": 2}), nested(60, {"q": 2, "p": 1})),
    ],
)
def test_inputs_are_one_record_where_they_are_to_mlflow(stores: SimpleNamespace, one: Any, other: Any) -> None:
    twins = Twins(stores)
    counts = twins.same(lambda store, at: store.upsert_dataset_records(at, [{"inputs": one}, {"inputs": other}]))
    is_same = input_key(one) == input_key(other)
    assert counts == {"inserted": 1 if is_same else 2, "updated": 1 if is_same else 0}


def test_keys_nested_deeper_than_64_are_compared_as_they_are_ordered(stores: SimpleNamespace) -> None:
    # MLflow's hash sorts them, too. The engine takes them as written, so that no depth is a recursion.
    one, other = nested(70, {"p": 1, "q": 2}), nested(70, {"q": 2, "p": 1})
    assert input_key(one) == input_key(other)
    dataset_id = stores.ours.create_dataset("deep").dataset_id
    counts = stores.ours.upsert_dataset_records(dataset_id, [{"inputs": one}, {"inputs": other}])
    assert counts == {"inserted": 2, "updated": 0}


def test_records_are_deleted_by_id(twins: Twins) -> None:
    twins.merge(*RECORDS)
    of = {}
    for store, dataset_id in zip(twins.stores.both, twins.ids, strict=True):
        ordered = sorted(store._load_dataset_records(dataset_id)[0], key=text)
        of[dataset_id] = [record.dataset_record_id for record in ordered]
    assert twins.same(lambda store, at: store.delete_dataset_records(at, [*of[at][:3], "dr-none"])) == 3
    twins.same_content()
    assert twins.same(lambda store, at: store.delete_dataset_records(at, of[at][:3])) == 0
    assert twins.same(lambda store, at: store.delete_dataset_records(at, of[at])) == len(of[twins.ids[0]]) - 3
    assert twins.same_content() == []
    twins.merge(RECORDS[0])


def test_records_come_in_pages(twins: Twins) -> None:
    twins.merge(*({"inputs": {"n": n}} for n in range(7)))
    whole, end = twins.stores.ours._load_dataset_records(twins.ids[0])
    assert end is None
    for size in (1, 2, 3, 7, 8):
        pages, token = [], None
        while not pages or token:
            found, token = twins.stores.ours._load_dataset_records(twins.ids[0], max_results=size, page_token=token)
            pages.append(found)
        assert [record for page in pages for record in page] == whole
        assert [len(page) for page in pages] == [size] * (7 // size) + [7 % size] * (7 % size > 0)
    for given in ({"max_results": 0}, {"page_token": "none"}):
        with pytest.raises(MlflowException) as refused:
            twins.stores.ours._load_dataset_records(twins.ids[0], **given)
        assert refused.value.error_code == INVALID


def test_tags_and_experiments(twins: Twins) -> None:
    twins.same(lambda store, at: store.set_dataset_tags(at, {"team": None, "n": 1, "f": 1.5, "b": True}))
    assert twins.same(lambda store, at: store.get_dataset(at))["tags"]["b"] == "True"
    for key in ("n", "n", "none"):
        twins.same(lambda store, at, key=key: store.delete_dataset_tag(at, key))
    for experiment_ids in (["0", 1], ["0"], ["abc"], ["0", "77"]):
        twins.same(lambda store, at, ids=experiment_ids: store.add_dataset_to_experiments(at, ids))
    assert twins.same(lambda store, at: store.get_dataset_experiment_ids(at)) == ["1", "0"]
    for experiment_ids in (["0", "77"], ["0"], [1]):
        twins.same(lambda store, at, ids=experiment_ids: store.remove_dataset_from_experiments(at, ids))
        twins.same_content()


@pytest.mark.parametrize(
    "call",
    [
        lambda store, at: store.get_dataset("d-none"),
        lambda store, at: store.get_dataset("twins"),
        lambda store, at: store.delete_dataset("d-none"),
        lambda store, at: store.delete_dataset("twins"),
        lambda store, at: store._load_dataset_records("d-none"),
        lambda store, at: store.delete_dataset_records("d-none", ["dr-1"]),
        lambda store, at: store.get_dataset_experiment_ids("d-none"),
        lambda store, at: store.set_dataset_tags("d-none", {"a": 1}),
        lambda store, at: store.delete_dataset_tag("d-none", "a"),
        lambda store, at: store.add_dataset_to_experiments("d-none", ["0"]),
        lambda store, at: store.remove_dataset_from_experiments("d-none", ["0"]),
    ],
)
def test_what_is_not_there_is_said_in_their_words(twins: Twins, call: Callable[[Any, str], Any]) -> None:
    twins.same(call)


def test_records_need_a_dataset(stores: SimpleNamespace) -> None:
    for call in (
        lambda: stores.ours.upsert_dataset_records("d-none", [{"inputs": {}}]),
        lambda: stores.ours._validate_dataset_accessible(None, "d-none"),
    ):
        with pytest.raises(MlflowException) as refused:
            call()
        assert refused.value.error_code == MISSING


def test_a_deleted_dataset_is_gone(twins: Twins) -> None:
    twins.merge(*RECORDS)
    twins.same(lambda store, at: store.delete_dataset(at))
    assert twins.same(lambda store, at: store.get_dataset(at))[0] == MISSING
    assert twins.same(lambda store, at: store.search_datasets().to_list()) == []


def test_users_are_those_of_the_last_change(stores: SimpleNamespace) -> None:
    twins = Twins(stores, tags={"mlflow.user": "ana"})
    for tags in ({"mlflow.user": "bo"}, {}, None, {"mlflow.user": "cy"}, {"x": 1}):
        twins.merge({"inputs": {"a": 1}, "tags": tags})
        twins.merge({"inputs": {"b": str(tags)}, "tags": tags})
    twins.same(lambda store, at: store.set_dataset_tags(at, {"mlflow.user": "dee"}))
    twins.same_content()


def test_digests_and_times_follow_changes(twins: Twins) -> None:
    store, dataset_id = twins.stores.ours, twins.ids[0]

    def told() -> tuple[str, int]:
        found = store.get_dataset(dataset_id)
        return found.digest, found.last_update_time

    before = told()
    twins.merge({"inputs": {"a": 1}})
    merged = told()
    assert merged[0] != before[0]
    assert merged[1] > before[1]
    # The same once more makes no version, but MLflow's dataset is another one.
    version = twins.ours.version
    twins.merge({"inputs": {"a": 1}})
    again = told()
    assert again[0] != merged[0]
    assert again[1] > merged[1]
    assert twins.ours.version == version
    added = store.add_dataset_to_experiments(dataset_id, ["0"])
    assert (added.digest, added.last_update_time) == told()
    assert added.digest == again[0]
    assert added.last_update_time > again[1]
    store.set_dataset_tags(dataset_id, {"a": 1})
    assert told() == (added.digest, added.last_update_time)


def test_an_operation_that_is_repeated_changes_nothing(twins: Twins) -> None:
    access = twins.stores.ours._access
    given = {"name": "again", "tags": {}, "experiment_ids": ["0"], "user": None}
    first = access.write("create_dataset", request="r1", **given)
    assert access.write("create_dataset", request="r1", **given) == first
    assert access.write("create_dataset", request="r2", **given) != first
    records = RECORDS[5:12]
    twins.merge(*records)
    version = twins.ours.version
    twins.merge(*records)
    assert twins.ours.version == version


def test_a_record_keeps_its_trace_in_the_database(twins: Twins) -> None:
    twins.merge({"inputs": {"a": 1}, "source": {"source_type": "TRACE", "source_data": {"trace_id": f"tr-{HEX}"}}})
    assert twins.ours.records()[0].source_trace_id == HEX


def test_tags_of_the_store_are_not_for_users(stores: SimpleNamespace) -> None:
    dataset_id = stores.ours.create_dataset("one").dataset_id
    for call in (
        lambda: stores.ours.create_dataset("two", tags={entities.NAME: "x"}),
        lambda: stores.ours.set_dataset_tags(dataset_id, {entities.CREATED_BY: "x"}),
        lambda: stores.ours.delete_dataset_tag(dataset_id, entities.REQUEST),
    ):
        with pytest.raises(MlflowException) as refused:
            call()
        assert refused.value.error_code == INVALID

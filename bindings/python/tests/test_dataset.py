"""Datasets: made of traces and spans, of records and tables; versions, samples, differences, files."""

from __future__ import annotations

import importlib
import io
import json
import pickle
from pathlib import Path

import pytest
import sample

import tracehouse
from tracehouse import ConflictError, Database, Dataset, DatasetRecord, InvalidInputError, NotFoundError


@pytest.fixture
def ds(sample_db: Database) -> Dataset:
    """An empty dataset."""
    return sample_db.create_dataset("regressions", experiment_ids="0", tags={"team": "search"})


def test_a_new_dataset(sample_db: Database, ds: Dataset) -> None:
    info = ds.info
    assert (info.name, info.version, info.record_count) == ("regressions", 0, 0)
    assert (info.experiment_ids, info.tags, info.query) == (["0"], {"team": "search"}, None)
    assert info.created_at <= info.updated_at
    assert ds.versions() == []
    assert len(ds) == 0
    assert [each.name for each in sample_db.datasets()] == ["regressions"]
    assert sample_db.dataset("regressions").id == sample_db.dataset(ds.id).id == ds.id
    assert repr(ds) == f"Dataset('regressions', id='{ds.id}')"
    with pytest.raises(ConflictError):
        sample_db.create_dataset("regressions")
    with pytest.raises(NotFoundError, match='did you mean "regressions"'):
        sample_db.dataset("regresions")
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(ds)
    sample_db.delete_dataset("regressions")
    with pytest.raises(NotFoundError):
        ds.records()


def test_traces_become_records(sample_db: Database, ds: Dataset) -> None:
    sample_db.log_expectation(sample.trace_id(0), "answer", "30 days")
    report = ds.add_traces("state = 'ERROR'", limit=3, order_by="request_time ASC")
    assert (report.inserted, report.version, report.record_count) == (3, 1, 3)
    again = ds.add_traces("state = 'ERROR'")
    assert (again.inserted, again.version) == (1, 2)
    assert [info.version for info in ds.versions()] == [1, 2]
    assert ds.info.query is not None
    assert ds.info.query["filter"] == "state = 'ERROR'"
    [first] = [record for record in ds.records() if record.source_trace_id == sample.trace_id(0)]
    assert first.inputs == {"messages": [{"role": "user", "content": "refund policy of order 0"}]}
    assert first.expectations == {"answer": "30 days"}
    assert first.source_type == "TRACE"
    assert len(ds.records(version=1)) == 3
    with pytest.raises(NotFoundError, match="no version 9"):
        ds.records(9)
    with pytest.raises(InvalidInputError):
        ds.add_traces("sate = 'ERROR'")


def test_samples(ds: Dataset) -> None:
    assert ds.add_traces(sample=4, seed=1, stratify="state").inserted == 4
    ds.add_traces()
    ids = [row[0] for row in ds.sample(5, seed=3).fetchall()]
    assert ids == [row[0] for row in ds.sample(5, seed=3).fetchall()]
    assert len(ids) == 5
    other = ds.sample_into("part", 2)
    assert (other.name, len(other)) == ("part", 2)
    with pytest.raises(InvalidInputError, match="sample=N"):
        ds.add_traces(stratify="state")
    with pytest.raises(InvalidInputError):
        ds.sample(2, stratify="colour")


def test_quotas_and_the_newest_per_session(sample_db: Database, ds: Dataset) -> None:
    everything = ds.plan_traces(sample=100, stratify="state")
    counts = {state: there for state, there, _ in everything.strata}
    quotas = {"ERROR": 1, "UNSEEN": 2, None: 3}
    plan = ds.plan_traces(stratify="state", quotas=quotas)
    chosen = {state: chosen for state, _, chosen in plan.strata}
    assert chosen == {"ERROR": 1, "UNSEEN": 0, None: 0, "OK": 0}
    report = ds.add_traces(sample=5, stratify="state", quotas={"ERROR": 1}, seed=3)
    assert (report.inserted, report.unmet_quotas) == (5, [])
    assert ds.info.query is not None
    assert ds.info.query["sample"] == {"count": 5, "seed": 3, "stratify": "state", "quotas": [["ERROR", 1]]}
    report = ds.add_spans(stratify="model", quotas=quotas)
    assert dict(zip(quotas, report.unmet_quotas, strict=True)) == {
        value: (value, 0, quota) for value, quota in quotas.items()
    }
    assert counts["OK"] > 4

    sessions = {trace.info.session_id for trace in sample_db.iter_traces()} - {None}
    newest = sample_db.create_dataset("newest")
    plan = newest.plan_traces(newest_per_session=True)
    assert newest.add_traces(newest_per_session=True).inserted == plan.chosen
    assert plan.older == everything.records - plan.records
    traces = [sample_db.get_trace(record.source_trace_id or "") for record in newest.records()]
    found = [trace.info.session_id for trace in traces]
    assert len(found) == len(set(found) - {None}) + found.count(None)
    assert set(found) - {None} == sessions

    some = ds.sample(stratify="source_type", quotas={"TRACE": 2})
    assert len(some.fetchall()) == 2
    assert len(ds.sample_into("part", 4, stratify="source_type", quotas={"HUMAN": 1})) == 4
    for wrong, said in [
        ({"sample": 1, "stratify": "state", "quotas": {"OK": 2}}, "quotas of 2 in a sample of 1"),
        ({"quotas": {"OK": 2}}, "stratify by"),
        ({"stratify": "state", "quotas": {"OK": -1}}, "the quota of 'OK' is -1"),
        ({"stratify": "state", "quotas": {"OK": "many"}}, "the quota of 'OK' is 'many'"),
        ({"sample": -1}, "the sample's number is -1"),
        ({"sample": 1, "stratify": "feedback"}, "feedback.NAME"),
    ]:
        with pytest.raises(InvalidInputError, match=said):
            ds.add_traces(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="say how many"):
        ds.sample()


@pytest.mark.parametrize("key", ["model", "feedback.helpful", "expectation.answer", "hour", "day", "tags.env"])
def test_samples_are_stratified_by_what_traces_have(sample_db: Database, ds: Dataset, key: str) -> None:
    sample_db.log_feedback(sample.trace_id(0), "helpful", True)
    sample_db.log_expectation(sample.trace_id(1), "answer", "30 days")
    plan = ds.plan_traces(sample=1_000, stratify=key)
    values = {value for value, _, _ in plan.strata}
    assert sum(there for _, there, _ in plan.strata) == plan.records == plan.chosen
    if key == "feedback.helpful":
        assert values == {"true", None}
    if key == "expectation.answer":
        assert values == {"30 days", None}
    if key == "hour":
        assert all(value is not None and value.endswith(":00:00Z") for value in values)


def test_spans_become_records(ds: Dataset) -> None:
    assert ds.add_spans("span.name = 'chat'", limit=2).inserted == 2
    assert {record.source_span_id is not None for record in ds.records()} == {True}
    assert ds.add_spans("span.name = 'chat'", sample=3, stratify="span.model").inserted >= 1


def test_records_are_merged(ds: Dataset) -> None:
    first = {
        "inputs": {"question": "refund?"},
        "outputs": "30 days",
        "expectations": {"polite": True},
        "tags": {"kind": "faq"},
        "source": {"source_type": "HUMAN", "source_data": {"user": "ana"}},
    }
    report = ds.merge_records([first, {"inputs": {"question": "größe?"}}])
    assert (report.inserted, report.updated, report.version) == (2, 0, 1)
    changed = ds.merge_records([{"inputs": {"question": "refund?"}, "expectations": {"short": True}}])
    assert (changed.updated, changed.version) == (1, 2)
    record = next(record for record in ds.records() if record.inputs["question"] == "refund?")
    assert record.expectations == {"polite": True, "short": True}
    assert (record.outputs, record.tags, record.source_data) == ("30 days", {"kind": "faq"}, {"user": "ana"})
    assert ds.merge_records(ds.records()).version == 2
    for wrong, message in [
        ({"inputs": {}, "expected_output": 1}, "record 2 has expected_output"),
        ({"outputs": 1}, "record 2"),
        ({"inputs": {"a": object()}}, "record 2"),
        ({"inputs": {}, "source": "HUMAN"}, "record 2: source"),
        ("text", "record 2 is a str"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            ds.merge_records([{"inputs": {"question": "new"}}, wrong])
    assert len(ds) == 2


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "result"])
def test_tables_are_merged(sample_db: Database, ds: Dataset, library: str) -> None:
    rows = {"inputs": ['{"question": "a"}', '{"question": "b"}'], "expected_output": ["x", "y"]}
    if library == "result":
        table = sample_db.sql('SELECT \'{"question": "a"}\' AS inputs UNION ALL SELECT \'{"question": "b"}\'')
    elif library == "pyarrow":
        table = importlib.import_module("pyarrow").table(rows)
    else:
        table = importlib.import_module(library).DataFrame(rows)
    report = ds.merge_records(table)
    assert (report.inserted, report.rejected_count) == (2, 0)
    assert sorted(record.inputs["question"] for record in ds.records()) == ["a", "b"]
    if library != "result":
        assert ds.records()[0].expectations is not None
        assert report.members


def test_a_dataset_goes_round_as_a_table(sample_db: Database, ds: Dataset) -> None:
    ds.add_traces()
    df = ds.to_df()
    assert len(df) == 12
    assert list(df.columns) == sample_db.sql("SELECT * FROM dataset_records LIMIT 0").columns
    other = sample_db.create_dataset("copy")
    assert other.merge_records(df).inserted == 12
    for mine, its in zip(ds.records(), other.records(), strict=True):
        assert (mine.inputs, mine.outputs, mine.source_trace_id) == (its.inputs, its.outputs, its.source_trace_id)
    assert ds.to_arrow().num_rows == ds.to_polars().height == 12
    wrong = importlib.import_module("pyarrow").table({"inputs": ['{"q": 1}', None]})
    with pytest.warns(UserWarning, match="1 records were not kept"):
        report = other.merge_records(wrong)
    assert report.rejected_count == 1


def test_differences(ds: Dataset) -> None:
    ds.merge_records([{"inputs": {"q": 1}, "outputs": 1}, {"inputs": {"q": 2}}])
    ds.merge_records([{"inputs": {"q": 1}, "outputs": 5}, {"inputs": {"q": 3}}])
    kept = ds.records()
    ds.delete_records(next(record.dataset_record_id for record in kept if record.inputs == {"q": 2}))
    diff = ds.diff(1, 3)
    assert (len(diff.added), len(diff.removed), len(diff.changed)) == (1, 1, 1)
    change = next(change for change in diff.changes if change.parts)
    assert (change.inputs, change.parts[0].name, change.parts[0].before, change.parts[0].after) == (
        {"q": 1},
        "outputs",
        "1",
        "5",
    )


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_files(sample_db: Database, ds: Dataset, tmp_path: Path, format: str) -> None:
    ds.merge_records([{"inputs": {"q": 1}, "outputs": "=1+1"}, {"inputs": {"q": 2}}])
    path = tmp_path / f"out.{format}"
    assert ds.export(path) == 2
    sink = io.BytesIO()
    assert ds.export(sink, format) == 2
    assert sink.getvalue() == path.read_bytes()
    other = sample_db.create_dataset("copy")
    assert other.merge_file(path).inserted == 2
    assert other.merge_file(io.BytesIO(path.read_bytes()), format).unchanged == 2
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if format == "csv":
        ds.export(path, raw=True)
        assert ",=1+1," in path.read_text() or '"=1+1"' in path.read_text()


def test_files_that_are_wrong(ds: Dataset, tmp_path: Path) -> None:
    ds.merge_records([{"inputs": {"q": 1}}])
    with pytest.raises(InvalidInputError, match="jsonl, csv or parquet"):
        ds.export(tmp_path / "out.xml")
    assert list(tmp_path.iterdir()) == []

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        ds.export(Full(), "jsonl")
    report = ds.merge_file(io.BytesIO(b'{"inputs": {"q": 2}}\n{broken\n'), "jsonl")
    assert (report.inserted, report.rejected_count, report.rejected[0].line) == (1, 1, 2)


def test_tags_and_experiments(ds: Dataset) -> None:
    ds.set_tags({"a": "1", "team": None})
    ds.set_experiments(["1", "2"])
    assert (ds.info.tags, ds.info.experiment_ids, ds.version) == ({"a": "1"}, ["1", "2"], 0)


def test_a_dataset_ends_with_its_database() -> None:
    with tracehouse.connect() as db:
        ds = db.create_dataset("d")
        ds.merge_records([DatasetRecord("", {"q": 1})])
    with pytest.raises(tracehouse.ClosedError, match="is closed"):
        ds.records()
    assert json.dumps({"name": ds.name})


def test_a_plan_counts_and_changes_nothing(sample_db: Database) -> None:
    dataset = sample_db.create_dataset("planned")
    plan = dataset.plan_traces(sample=3, stratify="state")
    assert plan.chosen == min(3, plan.records)
    assert sum(there for _, there, _ in plan.strata) == plan.records
    every, tools = dataset.plan_spans(), dataset.plan_spans("span.type = 'TOOL'")
    assert 0 < tools.found < every.found
    assert len(dataset) == 0
    assert dataset.add_traces(sample=3, stratify="state").inserted == plan.chosen

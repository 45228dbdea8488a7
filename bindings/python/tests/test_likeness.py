"""Datasets whose parts share nothing, records that are alike, records that change, records that hold a trace."""

from __future__ import annotations

import pytest
import sample

from tracehouse import ConflictError, Database, Dataset, InvalidInputError, NotFoundError

WORDS = ["apple", "river", "stone", "cloud", "tiger", "piano", "lemon", "chair", "ocean", "maple"]


def _question(at: int) -> dict[str, str]:
    return {"q": f"what is the {WORDS[at]} {WORDS[(at + 3) % 10]} of number {at} like"}


@pytest.fixture
def ds(db: Database) -> Dataset:
    """Ten records that are not alike."""
    made = db.create_dataset("all")
    made.merge_records([{"inputs": _question(at), "outputs": at, "expectations": {"a": at}} for at in range(10)])
    return made


def test_parts_share_nothing(db: Database, ds: Dataset) -> None:
    # One that is nearly the first.
    ds.merge_records([{"inputs": {"q": _question(0)["q"] + " today"}}])
    report = ds.split({"train": 80, "test": 20}, seed=1, near=0.6)
    counts = dict(report.parts)
    assert set(counts) == {"train", "test"}
    assert sum(counts.values()) == 11
    assert (report.groups, report.largest_group, report.cut) == (10, 2, 0)
    train, test = db.dataset("train"), db.dataset("test")
    assert len(train) == counts["train"]
    assert train.leaks(test, near=0.6).is_clean
    with pytest.raises(ConflictError):
        ds.split({"train": 1, "other": 1})
    with pytest.raises(NotFoundError):
        db.dataset("other")
    with pytest.raises(InvalidInputError):
        ds.split({"x": -1, "y": 2})


def test_what_two_datasets_share(sample_db: Database) -> None:
    a, b = sample_db.create_dataset("a"), sample_db.create_dataset("b")
    a.add_traces(f"trace_id = '{sample.trace_id(0)}'")
    b.add_traces(f"trace_id IN ('{sample.trace_id(0)}', '{sample.trace_id(1)}')")
    report = a.leaks("b")
    assert not report.is_clean
    assert report.traces == [sample.trace_id(0)]
    assert report.sessions == ["s-0"]
    assert report.users == ["u0"]
    assert [one.record_id for one in report.records] == [a.records()[0].dataset_record_id]
    assert report.records[0].similarity == 1.0
    with pytest.raises(NotFoundError):
        a.leaks("c")


def test_near_duplicates_go(ds: Dataset) -> None:
    assert ds.dedupe().version == 1
    ds.merge_records([{"inputs": {"q": _question(0)["q"] + " today"}}])
    report = ds.dedupe(near=0.6)
    assert (report.version, report.record_count, report.cut) == (3, 10, 0)
    (gone,) = report.dropped
    kept = {record.dataset_record_id: record.inputs for record in ds.records()}
    assert kept[gone.other_id] == _question(0)
    assert gone.record_id not in kept
    assert 0.6 <= gone.similarity < 1


def test_records_are_changed(ds: Dataset) -> None:
    first, second = (record.dataset_record_id for record in ds.records()[:2])
    assert ds.edit_records(first, outputs="new", expectations={"b": [1], "a": None}, tags={"seen": True}) == 2
    records = {record.dataset_record_id: record for record in ds.records()}
    assert records[first].outputs == "new"
    assert (records[first].expectations, records[first].tags) == ({"b": [1]}, {"seen": True})
    ds.edit_records([first, second], outputs=None)
    records = {record.dataset_record_id: record for record in ds.records()}
    assert (records[first].outputs, records[second].outputs) == (None, None)
    assert records[second].expectations is not None
    with pytest.raises(NotFoundError, match="dr-none"):
        ds.edit_records([second, "dr-none"], tags={"x": 1})
    assert ds.version == 3


def test_which_records_hold_a_trace(sample_db: Database) -> None:
    ds = sample_db.create_dataset("refunds")
    ds.add_traces(f"trace_id = '{sample.trace_id(0)}'")
    (held,) = sample_db.datasets_holding(sample.trace_id(0))
    (made,) = ds.records()
    record = made.dataset_record_id
    assert (held.dataset, held.version, held.dataset_record_id) == ("refunds", 1, record)
    assert held.span_id == made.source_span_id
    assert held.is_same is True
    ds.edit_records(record, outputs="other")
    assert sample_db.datasets_holding(sample.trace_id(0))[0].is_same is False
    sample_db.delete_traces(sample.trace_id(0))
    assert sample_db.datasets_holding(sample.trace_id(0))[0].is_same is None
    assert sample_db.datasets_holding(sample.trace_id(1)) == []

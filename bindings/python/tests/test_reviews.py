"""Review by people: queues, what comes next, answers that become feedback, agreement."""

from __future__ import annotations

from pathlib import Path

import pytest
import sample

import tracehouse
from tracehouse import ConflictError, Database, InvalidInputError, NotFoundError

LABELS = [
    {"name": "correct", "kind": "boolean"},
    {"name": "tone", "kind": "category", "options": ["warm", "cold"], "required": False},
]


def test_items_are_answered_one_by_one(sample_db: Database) -> None:
    added = sample_db.create_review("refunds", LABELS, ["ana", "bo"], filter="state = 'ERROR'")
    assert (added.added, added.already_there) == (4, [])
    (info,) = sample_db.reviews()
    assert (info.name, info.item_count) == ("refunds", 4)
    assert info.created_at <= tracehouse.parse_time("now()")
    first = sample_db.review_next("refunds", "ana")
    assert (first.next, first.trace_id) == ("item", sample.trace_id(9))
    assert first.key == f"trace:{sample.trace_id(9)}"
    assert first.until is not None
    # Who holds an item is given it again; another reviewer gets another.
    assert sample_db.review_next("refunds", "ana").key == first.key
    assert sample_db.review_next("refunds", "bo").key != first.key
    done = sample_db.review_answer("refunds", first.key, "ana", {"correct": False, "tone": "cold"}, "wrong refund")
    assert (done.complete, done.supersedes) == (True, False)
    assert sample_db.count_traces("feedback.correct = false AND feedback.tone = 'cold'") == 1
    feedback = {one.name: one for one in sample_db.assessments(sample.trace_id(9))}
    assert (feedback["correct"].source_type, feedback["correct"].source_id) == ("HUMAN", "ana")
    again = sample_db.review_answer("refunds", first.key, "ana", {"correct": True})
    assert again.supersedes
    assert sample_db.count_traces("feedback.correct = true") == 1
    assert sample_db.count_traces("feedback.correct = false") == 0
    item = sample_db.review("refunds").items[0]
    assert item.trace_id == sample.trace_id(9)
    assert [(one.reviewer, one.values["correct"], one.comment) for one in item.answers] == [
        ("ana", False, "wrong refund"),
        ("ana", True, None),
    ]


def test_what_a_label_does_not_allow(sample_db: Database) -> None:
    sample_db.create_review("refunds", LABELS, "ana", items=[sample.trace_id(0)])
    key = f"trace:{sample.trace_id(0)}"
    with pytest.raises(InvalidInputError, match="correct"):
        sample_db.review_answer("refunds", key, "ana", {"tone": "cold"})
    with pytest.raises(InvalidInputError, match="tone"):
        sample_db.review_answer("refunds", key, "ana", {"correct": True, "tone": "loud"})
    with pytest.raises(NotFoundError):
        sample_db.review_answer("refunds", key, "eve", {"correct": True})
    with pytest.raises(InvalidInputError, match="not a key"):
        sample_db.review_answer("refunds", sample.trace_id(0), "ana", {"correct": True})
    assert sample_db.count_traces("feedback.correct = true") == 0


def test_what_is_no_queue(sample_db: Database) -> None:
    with pytest.raises(InvalidInputError, match="filter= or of items="):
        sample_db.create_review("refunds", LABELS, ["ana"])
    with pytest.raises(InvalidInputError, match="kind"):
        sample_db.create_review("refunds", [{"name": "correct"}], ["ana"], filter="")
    with pytest.raises(InvalidInputError, match="no reviewer"):
        sample_db.create_review("refunds", LABELS, [], filter="")
    with pytest.raises(NotFoundError):
        sample_db.review("refunds")
    sample_db.create_review("refunds", LABELS, ["ana"], filter="", limit=2)
    with pytest.raises(ConflictError):
        sample_db.create_review("refunds", LABELS, ["ana"], filter="")
    assert sample_db.reviews()[0].item_count == 2
    sample_db.delete_review("refunds")
    assert sample_db.reviews() == []


def test_turns_skips_and_agreement(path: Path) -> None:
    with tracehouse.connect(path) as db:
        db.import_otlp(sample.lines(4))
        items = [sample.trace_id(number) for number in range(4)]
        db.create_review("all", LABELS, ["ana", "bo"], items=items, answers_per_item=2, round_robin=True)
        for reviewer in ("ana", "bo"):
            for number in range(3):
                # Of the third they think differently.
                said = number != 2 or reviewer == "ana"
                db.review_answer("all", f"trace:{items[number]}", reviewer, {"correct": said})
        db.review_skip("all", f"trace:{items[3]}", "bo", "no Dutch")
    with tracehouse.connect(path) as db:
        status = db.review_status("all")
        assert (status.items, status.complete, status.stuck, status.disagreements) == (4, 3, 1, 1)
        assert (status.answers_given, status.answers_wanted) == (6, 8)
        ana, bo = status.by_reviewer
        assert (ana.reviewer, ana.assigned, ana.answered, bo.skipped) == ("ana", 4, 3, 1)
        assert status.agreement["correct"]["percent_agreement"] == pytest.approx(2 / 3)
        assert db.review("all").items[3].skips == {"bo": "no Dutch"}
        assert db.review_next("all", "bo").next == "done"


def test_spans_and_sessions(sample_db: Database) -> None:
    span = f"span:{sample.trace_id(1)}/{sample.span_id(1, 1)}"
    sample_db.create_review("parts", LABELS, ["ana"], items=[span, "session:s-2"])
    assert [item.trace_id for item in sample_db.review("parts").items] == [sample.trace_id(1), None]
    sample_db.review_answer("parts", span, "ana", {"correct": True})
    (feedback,) = sample_db.assessments(sample.trace_id(1))
    assert feedback.span_id == sample.span_id(1, 1)
    sample_db.review_answer("parts", "session:s-2", "ana", {"correct": False})
    # It is about each trace of the session.
    assert sample_db.search_trace_ids("feedback.correct = false") == [sample.trace_id(5), sample.trace_id(4)]


def test_items_are_added_to_a_queue(sample_db: Database) -> None:
    sample_db.create_review("errors", LABELS, ["ana"], filter="state = 'ERROR'", limit=1)
    added = sample_db.add_to_review("errors", filter="state = 'ERROR'")
    assert (added.added, len(added.already_there)) == (3, 1)
    with pytest.raises(NotFoundError, match="none"):
        sample_db.add_to_review("none", items=[sample.trace_id(9)])

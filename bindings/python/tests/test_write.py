"""Single writes: tags, assessments, links, deletes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sample

import tracehouse
from tracehouse import Database, InvalidInputError, NotFoundError

FIRST, SECOND = sample.trace_id(0), sample.trace_id(1)


def test_tags(sample_db: Database) -> None:
    sample_db.set_tag(FIRST, "team", "search")
    sample_db.set_tags(FIRST, {"a": "1", "b": "2"})
    assert sample_db.get_trace_info(FIRST).tags == {"env": "dev", "team": "search", "a": "1", "b": "2"}
    sample_db.delete_tag(FIRST, ["a", "b"])
    sample_db.set_tag([FIRST, SECOND, "unknown"], "seen", "yes")
    assert sample_db.count_traces("tags.seen = 'yes'") == 2
    with pytest.raises(NotFoundError):
        sample_db.delete_tag(FIRST, "a")
    with pytest.raises(NotFoundError):
        sample_db.set_tag("unknown", "k", "v")
    with pytest.raises(InvalidInputError):
        sample_db.set_tag(FIRST, "", "v")


@pytest.mark.parametrize("value", [True, 4, 4.5, "good", ["a", 1], {"a": {"b": None}}, None])
def test_feedback_of_any_value(sample_db: Database, value: Any) -> None:
    given = sample_db.log_feedback(FIRST, "quality", value, source=("LLM_JUDGE", "gpt-4o"), rationale="so")
    assert given == sample_db.get_assessment(FIRST, given.assessment_id)
    assert given.value == value
    assert (given.type, given.source_type, given.source_id, given.rationale) == (
        "feedback",
        "LLM_JUDGE",
        "gpt-4o",
        "so",
    )
    assert given.valid


def test_the_life_of_an_assessment(sample_db: Database) -> None:
    first = sample_db.log_feedback(FIRST, "correct", False, span_id=sample.span_id(0, 1), metadata={"run": "1"})
    assert (first.source_type, first.span_id, first.metadata) == ("CODE", sample.span_id(0, 1), {"run": "1"})
    second = sample_db.log_feedback(FIRST, "correct", True, overrides=first.assessment_id)
    assert not sample_db.get_assessment(FIRST, first.assessment_id).valid
    changed = sample_db.update_assessment(FIRST, second.assessment_id, value=None, rationale="unsure")
    assert (changed.value, changed.rationale) == (None, "unsure")
    assert changed.updated_at > changed.created_at
    same = sample_db.update_assessment(FIRST, second.assessment_id, metadata={"k": "v"}, name="right")
    assert (same.value, same.name, same.metadata) == (None, "right", {"k": "v"})
    assert sample_db.delete_assessment(FIRST, second.assessment_id)
    assert not sample_db.delete_assessment(FIRST, second.assessment_id)
    assert sample_db.get_assessment(FIRST, first.assessment_id).valid
    truth = sample_db.log_expectation(FIRST, "answer", {"text": "30 days"})
    assert (truth.type, truth.source_type) == ("expectation", "HUMAN")
    assert sample_db.update_assessment(FIRST, truth.assessment_id, value="31 days").value == "31 days"
    failed = sample_db.log_feedback(FIRST, "score", None, error=ValueError("no answer"))
    assert (failed.error_code, failed.error_message) == ("ValueError", "no answer")
    issue = sample_db.log_issue(FIRST, "I-1", "wrong tool")
    assert (issue.type, issue.value, issue.source_type) == ("issue", "wrong tool", "LLM_JUDGE")
    with pytest.raises(InvalidInputError, match="ROBOT"):
        sample_db.log_feedback(FIRST, "x", 1, source="ROBOT")
    with pytest.raises(InvalidInputError, match="JSON"):
        sample_db.log_feedback(FIRST, "x", object())
    with pytest.raises(InvalidInputError, match="JSON"):
        sample_db.log_feedback(FIRST, "x", float("nan"))
    with pytest.raises(NotFoundError):
        sample_db.log_feedback("unknown", "x", 1)


def test_many_assessments_in_one_commit(sample_db: Database) -> None:
    source = [tracehouse.Assessment("", trace, "score", 0.5, source_type="CODE") for trace in (FIRST, SECOND)]
    ids = sample_db.log_assessments(source)
    assert len(set(ids)) == 2
    assert sample_db.count_traces("feedback.score = 0.5") == 2
    with pytest.raises(NotFoundError):
        sample_db.log_assessments([*source, tracehouse.Assessment("", "unknown", "score", 1)])
    assert sample_db.stats().assessments == 2


def test_links(sample_db: Database) -> None:
    def links(trace: str) -> dict[str, str]:
        return sample_db.get_trace_info(trace).metadata

    before = links(FIRST)
    sample_db.link_traces_to_run([FIRST, SECOND], "run-1")
    assert sample_db.count_traces("run_id = 'run-1'") == 2
    sample_db.unlink_traces_from_run(FIRST, "run-1")
    assert sample_db.count_traces("run_id = 'run-1'") == 1
    sample_db.link_prompts_to_trace(FIRST, "greeting/3")
    assert sample_db.count_traces("prompt = 'greeting/3'") == 1
    sample_db.unlink_prompts_from_trace(FIRST, ["greeting/3"])
    assert sample_db.count_traces("prompt = 'greeting/3'") == 0
    assert links(FIRST) == before


def test_deletes(sample_db: Database) -> None:
    assert sample_db.delete_traces([FIRST, "unknown"]) == 1
    assert sample_db.delete_traces(SECOND) == 1
    assert sample_db.delete_traces(filter="state = 'ERROR'", max_traces=1) == 1
    assert sample_db.count_traces("state = 'ERROR'") == 2
    assert sample_db.delete_traces(before="2023-11-14T22:13:25Z") == 3
    assert sample_db.delete_traces(before="2030-01-01", experiment_ids="none") == 0
    with pytest.raises(InvalidInputError, match="filter or a time"):
        sample_db.delete_traces()
    assert sample_db.count_traces() == 6


def test_erased_bytes_are_gone(path: Any) -> None:
    with tracehouse.connect(path) as db:
        db.import_otlp(sample.lines(3))
        db.start_trace("secret", name="UNMISTAKABLE")
        db.seal()
        receipt = db.erase_traces("secret")
        assert (receipt.deleted, receipt.complete, receipt.trace_ids) == (1, True, ["secret"])
        db.compact()
    data = b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file())
    assert b"UNMISTAKABLE" not in data
    assert json.dumps(receipt.to_dict())

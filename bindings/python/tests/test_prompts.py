"""Prompts: versions, aliases, tags, formatting, differences, and what traces say of them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import sample

import tracehouse
from tracehouse import Database, InvalidInputError, NotFoundError, Prompt


def test_versions_and_aliases(db: Database) -> None:
    first = db.register_prompt("answer", "Answer: {{question}}", "first", {"team": "support"}, aliases="production")
    assert (first.name, first.version, first.type, first.variables) == ("answer", 1, "text", ["question"])
    assert (first.commit_message, first.tags, first.aliases) == ("first", {"team": "support"}, ["production"])
    assert first.uri == "prompts:/answer/1"
    second = db.register_prompt("answer", "Answer in one sentence: {{ question }}", aliases=["beta", "next"])
    assert (second.version, second.aliases, second.commit_message) == (2, ["beta", "next"], None)
    assert db.load_prompt("prompts:/answer@production") == first
    assert db.load_prompt("prompts:/answer@latest").version == 2
    assert db.load_prompt(second.uri) == second
    db.set_prompt_alias("answer", "production", 2)
    assert db.load_prompt("prompts:/answer@production").version == 2
    assert db.load_prompt("prompts:/answer/1").aliases == []
    db.delete_prompt_alias("answer", "production")
    with pytest.raises(NotFoundError):
        db.load_prompt("prompts:/answer@production")
    assert [one.version for one in db.prompt_versions("answer")] == [1, 2]
    (info,) = db.prompts()
    assert (info.name, info.versions, info.aliases) == ("answer", [1, 2], {"beta": 2, "next": 2})
    assert info.tags == {"team": "support"}
    assert info.created_at <= second.created_at


def test_what_is_not_there_or_not_allowed(db: Database) -> None:
    db.register_prompt("answer", "{{question}}")
    for uri in ("prompts:/other@latest", "prompts:/answer/2", "prompts:/answer@beta"):
        with pytest.raises(NotFoundError):
            db.load_prompt(uri)
    with pytest.raises(InvalidInputError):
        db.load_prompt("answer")
    with pytest.raises(InvalidInputError):
        db.register_prompt("", "{{question}}")
    with pytest.raises(InvalidInputError, match="temperature"):
        db.register_prompt("answer", "{{question}}", model_config={"temperature": -1})
    with pytest.raises(InvalidInputError):
        db.register_prompt("answer", [{"content": "no role"}])
    assert [one.version for one in db.prompt_versions("answer")] == [1]


def test_a_text_is_formatted_strictly(db: Database) -> None:
    prompt = db.register_prompt("answer", "{{question}} ({{count}} words, {{question}})")
    assert prompt.format(question="Why?", count=3) == "Why? (3 words, Why?)"
    with pytest.raises(InvalidInputError, match="count"):
        prompt.format(question="Why?")
    with pytest.raises(InvalidInputError, match="tone"):
        prompt.format(question="Why?", count=3, tone="warm")
    # It needs no database any more.
    kept: Prompt = pickle.loads(pickle.dumps(prompt))
    db.close()
    assert kept.format(question="{{count}}", count=1) == "{{count}} (1 words, {{count}})"


def test_a_text_that_looks_like_json_stays_a_text(db: Database) -> None:
    prompt = db.register_prompt("json", '[{"role": "user", "content": "{{question}}"}]')
    assert (prompt.type, prompt.format(question="x")) == ("text", '[{"role": "user", "content": "x"}]')


def test_a_chat_with_settings(db: Database) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{question}}"}]
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    prompt = db.register_prompt(
        "chat", messages, response_format=schema, model_config={"model_name": "gpt-4o", "temperature": 0.2}
    )
    assert (prompt.type, prompt.template, prompt.variables) == ("chat", messages, ["question"])
    assert prompt.response_format == schema
    assert prompt.model_config == {"model_name": "gpt-4o", "temperature": 0.2}
    assert prompt.format(question="How?") == [messages[0], {"role": "user", "content": "How?"}]
    assert db.load_prompt("prompts:/chat/1") == prompt


def test_tags_and_deletes(path: Path) -> None:
    with tracehouse.connect(path) as db:
        for number in range(3):
            db.register_prompt("answer", f"version {number}", aliases=f"a{number}")
        db.set_prompt_tag("answer", "owner", "ana")
        db.delete_prompt_version("answer", 2)
    with tracehouse.connect(path) as db:
        (info,) = db.prompts()
        assert (info.versions, info.aliases, info.tags) == ([1, 3], {"a0": 1, "a2": 3}, {"owner": "ana"})
        db.delete_prompt_tag("answer", "owner")
        assert db.prompts()[0].tags == {}
        # A number is not given again.
        db.delete_prompt_version("answer", 3)
        assert db.register_prompt("answer", "again").version == 4
        db.delete_prompt("answer")
        assert db.prompts() == []
        with pytest.raises(NotFoundError):
            db.delete_prompt("answer")


def test_a_difference(db: Database) -> None:
    db.register_prompt("answer", "Be kind.\nAnswer {{question}}")
    db.register_prompt("answer", "Be kind.\nAnswer briefly: {{question}}")
    changes = db.prompt_diff("answer", 1, 2)
    assert "-Answer {{question}}" in changes
    assert "+Answer briefly: {{question}}" in changes
    assert db.prompt_diff("answer", 1, 1) == ""


def test_what_traces_say_of_versions(sample_db: Database) -> None:
    for number in range(4):
        sample_db.link_prompts_to_trace(sample.trace_id(number), f"answer/{1 + number % 2}")
        sample_db.log_feedback(sample.trace_id(number), "good", number < 3)
    first, second = sample_db.prompt_stats("answer")
    # Of the sample every third trace failed: 0 and 3.
    assert (first.version, first.trace_count, first.error_count, first.feedback) == ("1", 2, 1, {"good": 1.0})
    assert (second.version, second.trace_count, second.error_count) == ("2", 2, 1)
    assert second.feedback == {"good": 0.5}
    assert first.tokens_mean == 121.0
    assert first.duration_p50_ms == 500.0
    assert sample_db.prompt_stats("other") == []
    rows = sample_db.sql("SELECT prompt_version, count(*) FROM trace_prompts GROUP BY 1 ORDER BY 1").fetchall()
    assert [(str(version), count) for version, count in rows] == [("1", 2), ("2", 2)]

"""Scorers: the built-in ones, functions, what they give, and when their versions change."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import sample

import tracehouse
from tracehouse import Database, InvalidInputError, Score, Scorer, Trace, scorers

PARIS = {"expected_response": "Paris"}
NEAR = {"outputs": "in Paris", "expectations": PARIS}
FAR = {"outputs": "x", "expectations": PARIS}
CALLS = {"expected_tool_calls": [{"name": "search", "arguments": {"q": "a"}}]}


@pytest.mark.parametrize(
    ("made", "good", "bad"),
    [
        (scorers.exact_match(), {"outputs": "Paris", "expectations": PARIS}, {"outputs": "x", "expectations": PARIS}),
        (
            scorers.exact_match(ignore_case=True, trim=True, field="/city", expectation="/a/city"),
            {"outputs": {"city": " PARIS"}, "expectations": {"a": {"city": "paris"}}},
            {"outputs": {"city": "Rome"}, "expectations": {"a": {"city": "paris"}}},
        ),
        (scorers.contains(["a", "b"], any=True), {"outputs": "b"}, {"outputs": "c"}),
        (scorers.contains('say "é😀\\\x7f\n"'), {"outputs": 'we say "é😀\\\x7f\n".'}, {"outputs": "é"}),
        (scorers.regex(r"^\d+$"), {"outputs": "12"}, {"outputs": "12 "}),
        (scorers.json_valid(fence=True), {"outputs": "```json\n{}\n```"}, {"outputs": "{"}),
        (
            scorers.json_schema({"properties": {"a": {"enum": [None, "x"]}}, "required": ["a"]}),
            {"outputs": {"a": None}},
            {"outputs": {"a": 1}},
        ),
        (scorers.max_words(2), {"outputs": "one two"}, {"outputs": "one two three"}),
        (
            scorers.numeric(0.5),
            {"outputs": "about 3.2", "expectations": {"expected_response": 3}},
            {"outputs": "4", "expectations": {"expected_response": 3}},
        ),
        (
            scorers.numeric(relative=0.1),
            {"outputs": "109", "expectations": {"expected_response": 100}},
            {"outputs": "120", "expectations": {"expected_response": 100}},
        ),
        (scorers.token_f1(0.6), NEAR, FAR),
        (scorers.rouge_l(0.6), NEAR, FAR),
        (
            scorers.tool_calls(arguments=True),
            {"tool_calls": [{"name": "search", "arguments": {"q": "a"}}], "expectations": CALLS},
            {"tool_calls": [{"name": "search", "arguments": {"q": "b"}}], "expectations": CALLS},
        ),
        (scorers.latency_ms(5), {"duration_ns": 5_000_000}, {"duration_ns": 5_100_000}),
        (scorers.tokens(10), {"total_tokens": 10}, {"total_tokens": 11}),
        (scorers.cost_usd(0.1), {"cost_usd": 0.1}, {"cost_usd": 0.2}),
        (
            scorers.citation(min_words=2),
            {"outputs": 'It says "within thirty days".', "documents": ["Refunds come within thirty days."]},
            {"outputs": 'It says "within ninety days".', "documents": ["Refunds come within thirty days."]},
        ),
        (scorers.forbidden(["damn", "/\\d{4}/"]), {"outputs": "fine"}, {"outputs": "pin 1234"}),
    ],
    ids=lambda value: value.name if isinstance(value, Scorer) else "",
)
def test_a_built_in_scorer(made: Scorer, good: dict[str, Any], bad: dict[str, Any]) -> None:
    passed, failed = made(**good), made(**bad)
    assert (passed.passed, passed.error) == (True, None)
    assert (failed.passed, failed.error) == (False, None)
    # It can be made again of what a run keeps of it.
    again = scorers.from_definition(made.definition)
    assert (again.name, again.version) == (made.name, made.version)
    assert again(**good) == passed


def test_values_of_built_in_scorers() -> None:
    measured = scorers.token_f1()(outputs="in Paris", expectations=PARIS)
    assert (measured.value, measured.passed) == (pytest.approx(2 / 3), None)
    lacking = scorers.token_f1()(outputs="in Paris")
    assert lacking.value is None
    assert lacking.error is not None
    assert lacking.error.startswith("missing: looked for expectation `expected_response`")
    assert scorers.contains("x", name="says_x").name == "says_x"
    assert [one.name for one in scorers.from_spec("short=max_words:5")] == ["short"]
    assert "version=" in repr(scorers.json_valid())


def test_what_is_no_built_in_scorer() -> None:
    with pytest.raises(InvalidInputError, match="token_f1: threshold 2 is not from 0 to 1"):
        scorers.token_f1(2)
    with pytest.raises(InvalidInputError, match="regex"):
        scorers.regex("(")
    with pytest.raises(InvalidInputError, match="expression"):
        scorers.sql(" ")
    with pytest.raises(InvalidInputError, match="speed"):
        scorers.from_definition({"kind": "json_valid", "speed": 1})
    with pytest.raises(InvalidInputError, match="did you mean `contains`"):
        scorers.from_spec("contain:x")
    with pytest.raises(InvalidInputError, match="asked of a database"):
        scorers.sql("1 = 1")(outputs="x")
    with pytest.raises(InvalidInputError, match="the item has answer"):
        scorers.json_valid()(answer="x")
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(scorers.json_valid())


def test_an_expression_of_sql(sample_db: Database) -> None:
    run = sample_db.evaluate("", [scorers.sql("total_tokens < 126", name="cheap")])
    assert run.metrics["cheap"] == pytest.approx(0.5)


def test_a_function_is_given_what_it_names(sample_db: Database) -> None:
    seen: list[dict[str, Any]] = []

    @tracehouse.scorer
    def everything(inputs, outputs, expectations, trace, tool_calls, documents, messages=None) -> int:
        seen.append({"inputs": inputs, "outputs": outputs, "expectations": expectations, "trace": trace})
        assert documents == []
        return len(tool_calls)

    sample_db.log_expectation(sample.trace_id(1), "answer", 30)
    run = sample_db.evaluate(f"trace_id = '{sample.trace_id(1)}'", [everything])
    assert run.metrics["everything"] == 1.0
    (item,) = seen
    assert item["inputs"]["messages"][0]["content"] == "refund policy of order 1"
    assert item["outputs"]["role"] == "assistant"
    assert item["expectations"] == {"answer": 30}
    assert isinstance(item["trace"], Trace)
    assert [span.name for span in item["trace"].spans] == ["agent", "chat", "refund"]


@pytest.mark.parametrize(
    ("given", "value", "passed"),
    [
        (True, True, True),
        (0.5, 0.5, None),
        (3, 3, None),
        ("warm", "warm", None),
        ({"value": 3, "passed": False, "rationale": "r"}, 3, False),
        (Score(False, True, "odd"), False, True),
    ],
)
def test_what_a_function_gives(db: Database, given: object, value: object, passed: bool | None) -> None:
    @tracehouse.scorer(name="made")
    def made(outputs: str) -> object:
        return given

    assert (made(outputs="x").value, made(outputs="x").passed) == (value, passed)
    run = db.evaluate([{"outputs": "x"}], [made])
    row = db.sql("SELECT value, passed, rationale, error FROM scores").fetchone()
    assert run.error_count == 0
    assert row is not None
    assert (row[1], row[3]) == (passed, None)
    assert row[2] == made(outputs="x").rationale


def test_numbers_of_numpy_are_numbers() -> None:
    import numpy

    made = tracehouse.scorer(name="mean")(lambda outputs: numpy.float32(0.5))
    assert made(outputs="x") == Score(0.5)
    assert tracehouse.scorer(name="holds")(lambda outputs: numpy.bool_(True))(outputs="x") == Score(True, True)


def test_what_goes_wrong_in_a_function_is_an_error(db: Database) -> None:
    def fails(outputs: str) -> bool:
        raise KeyError(outputs)

    def nothing(outputs: str) -> None:
        return None

    def a_list(outputs: str) -> list[int]:
        return [1]

    def strange(outputs: str) -> dict[str, int]:
        return {"score": 1}

    def says(outputs: str) -> dict[str, str]:
        return {"error": "unreadable: no date"}

    run = db.evaluate([{"outputs": "x"}], [fails, nothing, a_list, strange, says])
    errors = {one.scorer: one.error for one in run.failures()}
    assert errors["fails"] == "scorer: KeyError: 'x'"
    assert errors["nothing"] == "scorer: nothing gave no value"
    assert errors["a_list"] == "scorer: a_list gave a list: true or false, a number or a text expected"
    assert "a score that is a dictionary has score" in str(errors["strange"])
    assert errors["says"] == "unreadable: no date"
    assert (run.row_count, run.error_count) == (5, 5)
    assert run.metrics["fails/errors"] == 1


def test_whether_a_value_passes() -> None:
    @tracehouse.scorer(name="words", version="7", passes=lambda count: count <= 2)
    def count(outputs: str) -> int:
        """Counts words."""
        return len(outputs.split())

    assert (count.name, count.version, count.__doc__) == ("words", "7", "Counts words.")
    assert count(outputs="a b") == Score(2, True)
    assert count(outputs="a b c") == Score(3, False)
    assert count.definition == {"kind": "function", "name": "words", "version": "7"}


def test_an_async_function(db: Database) -> None:
    @tracehouse.scorer
    async def later(outputs: str) -> bool:
        await asyncio.sleep(0)
        return outputs == "x"

    assert db.evaluate([{"outputs": "x"}, {"outputs": "y"}], [later]).metrics["later"] == 0.5


def test_what_is_no_function_of_items() -> None:
    with pytest.raises(InvalidInputError, match="'wrong' takes answer: it can take inputs, outputs"):

        @tracehouse.scorer
        def wrong(outputs, answer):
            return True

    with pytest.raises(InvalidInputError, match="a lambda has no name"):
        tracehouse.scorer(lambda outputs: True)
    # What has a default is not needed, and a function of any names is given all.
    assert tracehouse.scorer(lambda outputs: outputs, name="c", version="2").version == "2"
    assert tracehouse.scorer(name="a")(lambda outputs, answer="x": answer)(outputs="y").value == "x"
    assert tracehouse.scorer(name="b")(lambda **given: len(given))(outputs="y").value == 7


def _made(source: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(source, names)
    function: Callable[..., Any] = names["f"]
    return function


def test_a_changed_function_is_another_version() -> None:
    def at_most(n: int) -> Scorer:
        @tracehouse.scorer
        def short(outputs: str) -> bool:
            return len(outputs) <= n

        return short

    assert at_most(3).version == at_most(3).version
    assert at_most(3).version != at_most(4).version

    def one(outputs: str) -> bool:
        return len(outputs) > 1

    def two(outputs: str) -> bool:
        return len(outputs) > 2

    assert tracehouse.scorer(one).version != tracehouse.scorer(two).version
    strict = tracehouse.scorer(passes=lambda value: value > 5)(one).version
    assert strict != tracehouse.scorer(one).version
    # Where there is no source the compiled code counts.
    three, four = "def f(outputs): return (lambda: len(outputs) > 3)()", "def f(outputs): return len(outputs) > 4"
    assert tracehouse.scorer(_made(three)).version == tracehouse.scorer(_made(three)).version
    assert tracehouse.scorer(_made(three)).version != tracehouse.scorer(_made(four)).version


def test_a_trace_fills_what_is_not_said(sample_db: Database) -> None:
    trace = sample_db.get_trace(sample.trace_id(1))
    assert scorers.latency_ms(500)(trace=trace).value == 500.0
    assert scorers.tokens(200)(trace=trace).value == 121
    assert scorers.contains("30 days")(trace=trace).passed is True
    assert scorers.contains("30 days")(trace=trace, outputs="no", output_text="no").passed is False
    assert scorers.tool_calls()(trace=trace, expectations={"expected_tool_calls": [{"name": "refund"}]}).passed is True

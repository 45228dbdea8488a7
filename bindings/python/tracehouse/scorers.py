"""The built-in scorers: rules that ask no model.

    import tracehouse
    from tracehouse import scorers

    run = db.evaluate("state = 'OK'", [scorers.contains("refund"), scorers.max_words(80), "json_valid"])
    scorers.token_f1()(outputs="in Paris", expectations={"expected_response": "Paris"}).value

Of each, `name` is the name of its scores (the kind unless given). `expectation` names what is compared with, or is a
JSON pointer into all expectations (`/answer/city`); `field` is a JSON pointer into the outputs, in the place of the
answer's text. `threshold` is the least value that passes; without one a measure only measures. An item that lacks what
a rule looks for gets an error, never a score of zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tracehouse import _native
from tracehouse._definition import native_of
from tracehouse._given import plain, refused
from tracehouse._options import as_texts
from tracehouse.errors import InvalidInputError
from tracehouse.scoring import Scorer

__all__ = [
    "citation",
    "contains",
    "cost_usd",
    "exact_match",
    "forbidden",
    "from_definition",
    "from_spec",
    "json_schema",
    "json_valid",
    "latency_ms",
    "max_words",
    "numeric",
    "regex",
    "rouge_l",
    "sql",
    "token_f1",
    "tokens",
    "tool_calls",
]


def _made(kind: str, name: str | None, **settings: Any) -> Scorer:
    """The scorer of a kind; settings that are `None` have their defaults."""
    given = {key: value for key, value in {"name": name, **settings}.items() if value is not None}
    return from_definition({"kind": kind, **given})


def from_definition(definition: Mapping[str, Any]) -> Scorer:
    """The scorer of a definition, as `Scorer.definition` has it: all but functions and judges.

    Raises:
        InvalidInputError: a setting that is not known or wrong.
    """
    return Scorer(native_of(plain(definition, "definition")))


def from_spec(spec: str) -> list[Scorer]:
    """The scorers of a text such as `exact_match`, `short=max_words:50` or `scorers.toml`, as the command line has it.

    Raises:
        InvalidInputError: another text; the message has the known forms.
    """
    with refused():
        return [Scorer(native) for native in _native.scorers_of(spec)]


def exact_match(
    *,
    expectation: str | None = None,
    field: str | None = None,
    trim: bool = False,
    ignore_case: bool = False,
    any_of: bool = False,
    name: str | None = None,
) -> Scorer:
    """Whether the answer is what was expected; with `any_of` one of a list that was."""
    settings = {"trim": trim, "ignore_case": ignore_case, "any_of": any_of}
    return _made("exact_match", name, expectation=expectation, field=field, **settings)


def contains(
    texts: str | Iterable[str] = (),
    *,
    any: bool = False,
    ignore_case: bool = False,
    expectation: str | None = None,
    field: str | None = None,
    name: str | None = None,
) -> Scorer:
    """Whether the answer contains all of some texts, or one of them; without texts those of the expectation."""
    settings = {"texts": as_texts(texts), "any": any, "ignore_case": ignore_case}
    return _made("contains", name, expectation=expectation, field=field, **settings)


def regex(
    pattern: str, *, ignore_case: bool = False, full: bool = False, field: str | None = None, name: str | None = None
) -> Scorer:
    """Whether a regular expression matches the answer, or a part of it unless `full`."""
    return _made("regex", name, pattern=pattern, ignore_case=ignore_case, full=full, field=field)


def json_valid(*, fence: bool = False, field: str | None = None, name: str | None = None) -> Scorer:
    """Whether the answer is JSON; with `fence` one of three back-ticks around it is taken off."""
    return _made("json_valid", name, fence=fence, field=field)


def json_schema(
    schema: Mapping[str, Any] | bool, *, fence: bool = False, field: str | None = None, name: str | None = None
) -> Scorer:
    """Whether the answer is JSON that fits a JSON Schema."""
    return _made("json_schema", name, schema=schema, fence=fence, field=field)


def max_words(max: int, *, field: str | None = None, name: str | None = None) -> Scorer:
    """The number of words of the answer; at most `max` pass."""
    return _made("max_words", name, max=max, field=field)


def numeric(
    tolerance: float | None = None,
    *,
    relative: float | None = None,
    expectation: str | None = None,
    field: str | None = None,
    name: str | None = None,
) -> Scorer:
    """Whether the last number of the answer is what was expected, give or take.

    Args:
        tolerance: the difference that passes; 0 unless one of the two is given.
        relative: the difference that passes as a part of what is expected: 0.01 is one percent.
        expectation: see above.
        field: see above.
        name: see above.
    """
    absolute = 0.0 if tolerance is None and relative is None else tolerance
    return _made("numeric", name, absolute=absolute, relative=relative, expectation=expectation, field=field)


def token_f1(
    threshold: float | None = None, *, expectation: str | None = None, field: str | None = None, name: str | None = None
) -> Scorer:
    """How far the words of the answer are those expected: the F1 of SQuAD, 0 to 1."""
    return _made("token_f1", name, threshold=threshold, expectation=expectation, field=field)


def rouge_l(
    threshold: float | None = None, *, expectation: str | None = None, field: str | None = None, name: str | None = None
) -> Scorer:
    """How far the answer has the words expected, in their order: the F-measure of ROUGE-L, 0 to 1."""
    return _made("rouge_l", name, threshold=threshold, expectation=expectation, field=field)


def tool_calls(
    *,
    order: bool = False,
    arguments: bool | None = None,
    repeats: bool = False,
    expectation: str | None = None,
    name: str | None = None,
) -> Scorer:
    """Whether the tools that were called are those of the expectation `expected_tool_calls`.

    Args:
        order: the order of the calls matters.
        arguments: their arguments matter; they do if every expected call has them, unless given.
        repeats: each call must come as often as expected.
        expectation: another name of the expectation.
        name: see above.
    """
    settings = {"order": order, "arguments": arguments, "repeats": repeats}
    return _made("tool_calls", name, expectation=expectation, **settings)


def latency_ms(max: float, *, name: str | None = None) -> Scorer:
    """Milliseconds from start to end; at most `max` pass."""
    return _made("latency_ms", name, max=max)


def tokens(max: int, *, name: str | None = None) -> Scorer:
    """Tokens of the whole trace; at most `max` pass."""
    return _made("tokens", name, max=max)


def cost_usd(max: float, *, name: str | None = None) -> Scorer:
    """What the whole trace cost, US dollars; at most `max` passes."""
    return _made("cost_usd", name, max=max)


def citation(
    *,
    min_words: int | None = None,
    required: bool = True,
    ignore_case: bool = False,
    id_pattern: str | None = None,
    field: str | None = None,
    name: str | None = None,
) -> Scorer:
    """Whether every quote of the answer stands in a retrieved document.

    Args:
        min_words: a quote of fewer words is not checked; 4 unless given.
        required: an answer without any citation does not pass.
        ignore_case: upper and lower case of quotes are the same.
        id_pattern: what the id of a document looks like in the answer, as a regular expression.
        field: see above.
        name: see above.
    """
    settings = {"min_words": min_words, "required": required, "ignore_case": ignore_case, "id_pattern": id_pattern}
    return _made("citation", name, field=field, **settings)


def forbidden(words: str | Iterable[str], *, field: str | None = None, name: str | None = None) -> Scorer:
    """Whether the answer has none of some words, phrases and `/patterns/`."""
    return _made("forbidden", name, words=as_texts(words), field=field)


def sql(expression: str, *, threshold: float | None = None, name: str | None = None) -> Scorer:
    """An expression of SQL over the table of what is judged, such as `total_tokens < 500`."""
    if not expression.strip():
        raise InvalidInputError("the expression of a scorer of SQL is empty: such as `total_tokens < 500` expected")
    return _made("sql", name, expression=expression, threshold=threshold)

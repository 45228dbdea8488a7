"""Scorers: what judges one item, and what it says.

    Scorer (name, version, definition) <- built-in ones (`scorers`), Judge (`judges`)
           <- FunctionScorer: a function of a program, by `@tracehouse.scorer`

A run takes a scorer with the database that it judges in (`native`), so that a function can be given the trace itself.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from tracehouse import _native
from tracehouse._given import plain, refused
from tracehouse._record import Record
from tracehouse._version import version_of
from tracehouse.errors import InvalidInputError

if TYPE_CHECKING:
    from tracehouse.trace import Trace

Passes: TypeAlias = Callable[[Any], bool]
"""Whether a value is good enough."""

TEXTS = ("inputs", "outputs")
SPANS = ("tool_calls", "documents")
PARAMETERS = (*TEXTS, "expectations", "trace", *SPANS, "messages")


@dataclass(slots=True)
class Score(Record):
    """What a scorer says of one item."""

    value: Any = None
    """True or false, a number or a text; `None` beside an error."""
    passed: bool | None = None
    """Whether it is good enough; `None` when the scorer only measures."""
    rationale: str | None = None
    """Why, in words."""
    cost_usd: float | None = None
    """What the judgement cost, in US dollars."""
    error: str | None = None
    """Why there is no value: a kind (`missing`, `scorer`, `timeout`, ...) and a message."""


class Scorer:
    """Judges one item at a time, for `Database.evaluate`; called with an item it gives a `Score`.

    The built-in ones are in `tracehouse.scorers`; `@tracehouse.scorer` makes one of a function, `tracehouse.Judge` one
    that asks a language model.
    """

    def __init__(self, native: _native.Scorer) -> None:
        self._native = native

    @property
    def name(self) -> str:
        """The name of its scores, and of the feedback that they become."""
        return self._native.name

    @property
    def version(self) -> str:
        """Changes when the same item may get another score."""
        return self._native.version

    @property
    def definition(self) -> dict[str, Any]:
        """What it is and with what settings."""
        found: dict[str, Any] = self._native.definition
        return found

    def native(self, db: _native.Database | None, failures: Mapping[str, str] | None = None) -> _native.Scorer:
        """What a run over a database takes; `failures` are items, by trace, that have no outputs, and why."""
        return self._native

    def __call__(
        self,
        *,
        inputs: Any = None,
        outputs: Any = None,
        expectations: Mapping[str, Any] | None = None,
        trace: Trace | None = None,
        tool_calls: Iterable[Mapping[str, Any]] | None = None,
        documents: Iterable[str] | None = None,
        messages: Iterable[Mapping[str, str]] | None = None,
        **figures: Any,
    ) -> Score:
        """Judges one item: what is not said is taken from `trace`, where one is given.

        Args:
            inputs: what the application was asked.
            outputs: what it answered.
            expectations: what was expected, by name: `expected_response`, `expected_tool_calls`, ...
            trace: the trace that it is of.
            tool_calls: calls of tools in order: dictionaries with `name` and `arguments`.
            documents: texts of the documents that were retrieved.
            messages: turns of a conversation: dictionaries with `role` and `text`.
            **figures: `duration_ns`, `total_tokens`, `cost_usd`.

        Returns:
            What it says. An item that cannot be judged gives a score with an `error`.
        """
        from tracehouse._items import item_of, item_of_trace

        given: dict[str, Any] = {"inputs": inputs, "outputs": outputs, "expectations": expectations, **figures}
        given.update(tool_calls=tool_calls, documents=documents, messages=messages)
        item = {name: value for name, value in given.items() if value is not None}
        if trace is not None:
            item = {**item_of_trace(trace), **item}
        return self._judged(item_of(item, "the item"), trace)

    def _judged(self, item: dict[str, Any], trace: Trace | None) -> Score:
        with refused():
            return Score(**self._native.score(item))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, version={self.version!r})"

    def __reduce__(self) -> Any:
        raise TypeError(f"the scorer {self.name!r} cannot be pickled: make it again in the other process")


class FunctionScorer(Scorer):
    """A scorer that is a function of a program; see `tracehouse.scorer`."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        version: str | None = None,
        passes: Passes | None = None,
    ) -> None:
        self._function = function
        self._passes = passes
        self._name = name or _name_of(function)
        self._version = version or version_of(function, passes)
        self._takes = _parameters(function, self._name)
        functools.update_wrapper(self, function, updated=())
        super().__init__(self.native(None))

    def native(self, db: _native.Database | None, failures: Mapping[str, str] | None = None) -> _native.Scorer:
        """What a run over a database takes: a trace is read from it for a function that takes one."""

        def call(item: dict[str, Any]) -> dict[str, Any]:
            trace_id = item.get("trace_id")
            failed = (failures or {}).get(trace_id or "")
            if failed is not None:
                return {"error": f"missing: looked for an output: {failed}"}
            trace = None
            if "trace" in self._takes and trace_id is not None and db is not None:
                trace = _native.get_trace(db, trace_id)
            return self._said(item, trace).to_dict()

        takes = set(self._takes)
        texts, spans = not takes.isdisjoint(TEXTS), not takes.isdisjoint(SPANS)
        with refused():
            return _native.function_scorer(call, self._name, self._version, texts, spans, "messages" in takes)

    def _judged(self, item: dict[str, Any], trace: Trace | None) -> Score:
        return self._said(item, trace)

    def _said(self, item: dict[str, Any], trace: Trace | None) -> Score:
        """What the function says of an item; an exception is an error of the score."""
        given = {name: trace if name == "trace" else item.get(name) for name in self._takes}
        if "expectations" in given:
            given["expectations"] = given["expectations"] or {}
        try:
            value = self._function(**given)
            if inspect.iscoroutine(value):
                value = asyncio.run(value)
            return self._score_of(value)
        except Exception as error:
            return Score(error=f"scorer: {type(error).__name__}: {error}")

    def _score_of(self, said: Any) -> Score:
        score = _score(said)
        if score.error is not None:
            return score if ": " in score.error else Score(error=f"scorer: {score.error}")
        value = score.value
        if value is None:
            return Score(error=f"scorer: {self._name} gave no value")
        if not isinstance(value, (bool, int, float, str)):
            shown = type(value).__name__
            return Score(error=f"scorer: {self._name} gave a {shown}: true or false, a number or a text expected")
        if score.passed is None and self._passes is not None:
            score.passed = bool(self._passes(value))
        if score.passed is None and isinstance(value, bool):
            score.passed = value
        return score


_MEMBERS = ("value", "passed", "rationale", "cost_usd", "error")


def _score(said: Any) -> Score:
    """What a function gave, as a score."""
    if isinstance(said, Score):
        return Score(**{**said.to_dict(), "value": plain(said.value, "value")})
    if isinstance(said, Mapping):
        unknown = [str(key) for key in said if key not in _MEMBERS]
        if unknown or not {"value", "error"} & set(said):
            found = f"has {', '.join(unknown)}" if unknown else "has no value"
            raise InvalidInputError(f"a score that is a dictionary {found}: it has {', '.join(_MEMBERS)}")
        return Score(**{key: plain(value, str(key)) for key, value in said.items()})
    return Score(plain(said, "value"))


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None) or type(function).__name__
    if name == "<lambda>":
        raise InvalidInputError("a scorer that is a lambda has no name: tracehouse.scorer(name=...)(lambda ...)")
    return str(name)


def _parameters(function: Callable[..., Any], name: str) -> tuple[str, ...]:
    """The parameters of a function that an item fills."""
    if not callable(function):
        raise InvalidInputError(f"scorer {name!r} is a {type(function).__name__}: a function expected")
    parameters = inspect.signature(function).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return PARAMETERS
    unknown = [one.name for one in parameters if one.name not in PARAMETERS and _is_needed(one)]
    if unknown:
        raise InvalidInputError(f"scorer {name!r} takes {', '.join(unknown)}: it can take {', '.join(PARAMETERS)}")
    return tuple(one.name for one in parameters if one.name in PARAMETERS)


def _is_needed(parameter: inspect.Parameter) -> bool:
    positional = parameter.kind is parameter.POSITIONAL_ONLY
    return positional or (parameter.kind is not parameter.VAR_POSITIONAL and parameter.default is parameter.empty)


@overload
def scorer(
    function: Callable[..., Any],
    /,
    *,
    name: str | None = None,
    version: str | None = None,
    passes: Passes | None = None,
) -> FunctionScorer: ...
@overload
def scorer(
    function: None = None, /, *, name: str | None = None, version: str | None = None, passes: Passes | None = None
) -> Callable[[Callable[..., Any]], FunctionScorer]: ...
def scorer(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: str | None = None,
    passes: Passes | None = None,
) -> Any:
    """Makes a scorer of a function.

        @tracehouse.scorer
        def polite(outputs):
            return "please" in outputs

        @tracehouse.scorer(name="words", passes=lambda words: words <= 50)
        def count(outputs):
            return len(outputs.split())

    The function takes what it needs by name: `inputs`, `outputs`, `expectations` (a dictionary), `trace` (a `Trace`, or
    `None`), `tool_calls`, `documents`, `messages` (of a session). It gives true or false, a number, a text, a
    dictionary with `value` and perhaps `passed` and `rationale`, or a `Score`. An exception, and `None`, is an error of
    its item and no value. It is called from several threads; it may be `async`.

    Args:
        function: the function, where there are no other arguments.
        name: the name of its scores; the function's own name unless given.
        version: changes when the same item may get another score; a hash of the source unless given.
        passes: whether a value is good enough; true and false say that themselves.

    Raises:
        InvalidInputError: a parameter that no item fills, or a lambda without a name.
    """
    if function is None:
        return functools.partial(FunctionScorer, name=name, version=version, passes=passes)
    return FunctionScorer(function, name, version, passes)

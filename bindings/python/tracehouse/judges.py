"""Judges: scorers that ask a language model, of any server with the protocol of OpenAI's chat completions.

    judge = tracehouse.Judge(model="gpt-4o", guidelines=["Be polite.", "Name no prices."], budget_usd=2)
    run = db.evaluate("state = 'OK'", [judge], concurrency=16)
    print(run, judge.usage.spent_usd)

The key is in no definition, no error and no `repr`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tracehouse import _native
from tracehouse._given import plain, record_of, refused
from tracehouse._options import as_texts
from tracehouse._record import Record
from tracehouse.errors import InvalidInputError
from tracehouse.scoring import Scorer

_KIND_MEMBERS = ("judge", "guidelines", "template", "output")
_MODEL_MEMBERS = ("temperature", "max_tokens", "seed")
# What a judge is made with to see whether its settings are right, before its prices are known.
_UNKNOWN = (None, None)

_Prices = tuple[float | None, float | None]


@dataclass(slots=True)
class JudgeUsage(Record):
    """What a judge has used so far."""

    calls: int = 0
    """Calls that were sent, retries and all others counted."""
    retries: int = 0
    """Of them, those made again after a failure."""
    repairs: int = 0
    """Of them, those that asked again for an answer that could not be read."""
    fallbacks: int = 0
    """Of them, those made again in another form, after the server refused a parameter."""
    cache_hits: int = 0
    """Items answered from the cache."""
    input_tokens: int = 0
    """Tokens of questions, by the server's word."""
    output_tokens: int = 0
    """Tokens of answers, by the server's word."""
    spent_usd: float = 0.0
    """What calls cost by the tokens or costs that the server told, in US dollars."""
    unsure_usd: float = 0.0
    """What calls may have cost at most about which the server told nothing; it counts against the budget."""


class Judge(Scorer):
    """A scorer that asks a language model.

    Args:
        model: the model's name.
        base_url: where the server is (`https://api.openai.com/v1`); the variable OPENAI_BASE_URL unless given.
        api_key: the key; the variable OPENAI_API_KEY unless given.
        guidelines: what must hold of the answer, in words: one text or several.
        kind: what is asked instead: `correctness` (against `expected_response` and `expected_facts`), `groundedness`
            (in the retrieved documents), `safety`, `relevance`, or `guidelines` (those of the expectation of that
            name).
        template: a prompt of your own, with `{{inputs}}`, `{{outputs}}`, `{{expectations}}`, `{{documents}}`,
            `{{conversation}}` or `{{trace}}` in it.
        output: what the verdict of a template is: `"boolean"` (by default), `"text"`, a list of words, or a dictionary:
            `{"type": "number", "min": 1, "max": 5, "pass_from": 4}`,
            `{"type": "category", "categories": ["warm", "cold"], "pass": ["warm"]}`.
        name: the name of its scores; the kind unless given.
        budget_usd: what it may spend, US dollars; then every further item is an error. It needs prices.
        price_input_usd_per_million: what a million tokens of questions cost; what the database says
            (`Database.prices`) unless given.
        price_output_usd_per_million: what a million tokens of answers cost.
        settings: further settings: `temperature`, `max_tokens`, `seed`, `timeout_ms`, `deadline_ms`, `retries_max`,
            `backoff_base_ms`, `backoff_max_ms`, `concurrency`, `requests_per_minute`, `tokens_per_minute`.

    Raises:
        InvalidInputError: more or less than one of guidelines, kind and template, or a wrong setting.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        guidelines: str | Iterable[str] | None = None,
        kind: str | None = None,
        template: str | None = None,
        output: str | Iterable[str] | Mapping[str, Any] | None = None,
        name: str | None = None,
        budget_usd: float | None = None,
        price_input_usd_per_million: float | None = None,
        price_output_usd_per_million: float | None = None,
        **settings: Any,
    ) -> None:
        self._kind = _kind(guidelines, kind, template, output)
        self._own_name = name or str(self._kind["judge"])
        self._model = model
        self._url = base_url or os.environ.get("OPENAI_BASE_URL") or ""
        if not self._url:
            raise InvalidInputError(
                "a judge needs base_url= or the variable OPENAI_BASE_URL: an OpenAI-compatible server"
            )
        self._key = api_key if api_key is not None else os.environ.get("OPENAI_API_KEY")
        self._settings = settings
        self._budget_usd = budget_usd
        self._prices: _Prices = (price_input_usd_per_million, price_output_usd_per_million)
        self._used_before = JudgeUsage()
        super().__init__(self._asking(self._prices, None if self._prices == _UNKNOWN else budget_usd))
        self._asks_with: tuple[_Prices, _native.Database | None] = (self._prices, None)

    def _asking(self, prices: _Prices, budget_usd: float | None, db: _native.Database | None = None) -> _native.Scorer:
        given = {
            **self._settings,
            "budget_usd": budget_usd,
            "price_input_usd_per_million": prices[0],
            "price_output_usd_per_million": prices[1],
        }
        with refused():
            return _native.judge(self._own_name, self._kind, self._model, self._url, self._key, given, db)

    def native(self, db: _native.Database | None, failures: Mapping[str, str] | None = None) -> _native.Scorer:
        """What a run over a database takes: prices that were not given are those that the database says."""
        prices = self._prices
        if prices == _UNKNOWN and db is not None:
            prices = _prices_of(db, self._model)
        if prices == _UNKNOWN and self._budget_usd is not None:
            raise InvalidInputError(
                f"the budget of judge {self.name!r} is kept by prices, and those of {self._model!r} are not known: "
                f"give price_input_usd_per_million and price_output_usd_per_million, or db.set_price(...)"
            )
        if (prices, db) != self._asks_with:
            # With a database it looks into what judges answered before. What was used counts on.
            used = self.usage
            budget = None if self._budget_usd is None else max(self._budget_usd - used.spent_usd - used.unsure_usd, 0)
            self._native, self._asks_with = self._asking(prices, budget, db), (prices, db)
            self._used_before = used
        return self._native

    def _judged(self, item: dict[str, Any], trace: Any) -> Any:
        # Of a database it keeps the prices and the answers, closed or not.
        if self._asks_with[1] is None:
            self.native(None)
        return super()._judged(item, trace)

    @property
    def usage(self) -> JudgeUsage:
        """What it has used so far."""
        now = record_of(JudgeUsage, self._native.usage or {}).to_dict()
        return JudgeUsage(**{key: value + self._used_before[key] for key, value in now.items()})

    @classmethod
    def from_definition(
        cls, definition: Mapping[str, Any], *, base_url: str | None = None, api_key: str | None = None, **settings: Any
    ) -> Judge:
        """The judge of a definition, as `Scorer.definition` has it. The server is the caller's, as in `Judge`, and not
        the definition's: a key is not sent where a database says.

        Raises:
            InvalidInputError: another scorer's definition.
        """
        if definition.get("kind") != "judge" or not definition.get("model"):
            raise InvalidInputError(f"definition {dict(definition)!r} is not a judge's: it has kind, judge and model")
        own = {key: definition[key] for key in _MODEL_MEMBERS if definition.get(key) is not None}
        word = definition.get("judge")
        asked: dict[str, Any] = {"kind": word}
        if word == "custom":
            asked = {"template": definition.get("template"), "output": definition.get("output")}
        elif word == "guidelines" and definition.get("guidelines"):
            asked = {"guidelines": definition["guidelines"]}
        return cls(
            model=definition["model"],
            base_url=base_url,
            api_key=api_key,
            name=definition.get("name"),
            **asked,
            **{**own, **settings},
        )

    def __repr__(self) -> str:
        return f"Judge({self.name!r}, model={self._model!r}, base_url={self._url!r})"


def _kind(
    guidelines: str | Iterable[str] | None,
    kind: str | None,
    template: str | None,
    output: str | Iterable[str] | Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What is asked, as the native module has it."""
    if kind == "guidelines" and guidelines is not None:
        kind = None
    if kind == "custom" and template is not None:
        kind = None
    if sum(one is not None for one in (guidelines, kind, template)) != 1:
        raise InvalidInputError("a judge needs one of guidelines=, kind= and template=")
    if output is not None and template is None:
        raise InvalidInputError("output= is of a template: the verdict of another judge is true or false")
    if guidelines is not None:
        return {"judge": "guidelines", "guidelines": as_texts(guidelines)}
    if template is not None:
        return {"judge": "custom", "template": template, "output": _output(output)}
    return {"judge": kind}


def _output(output: str | Iterable[str] | Mapping[str, Any] | None) -> dict[str, Any]:
    if output is None or isinstance(output, str):
        return {"type": output or "boolean"}
    if isinstance(output, Mapping):
        found: dict[str, Any] = plain(output, "output")
        return found
    return {"type": "category", "categories": list(output)}


def _prices_of(db: _native.Database, model: str) -> _Prices:
    """What tokens of a model cost by the prices of a database."""
    names = {model.lower(), model.lower().rsplit("/", 1)[-1]}
    found = [price for price in _native.prices(db) if price.model in names]
    return (found[0].input, found[0].output) if found else _UNKNOWN

"""Filters, orders and pages of `search_traces`: the same answers as MLflow's own store, but for the differences listed.

Both stores have the traces of `model_population`. Where this package accepts more than MLflow, MLflow's answers are put
together by hand: `OR` is a union, `NOT` what is left.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import model_population
import pytest
from model_filters import conjunctions, every_clause
from model_pair import Pair, Refusal, answer, open_stores
from model_vectors import VECTORS

INVALID = "INVALID_PARAMETER_VALUE"
GENERATED = ["2", "3"]

# Filters that both stores accept and answer differently: what they look like, what MLflow is asked for the same answer
# (empty where no trace is to be found), and why.
DIFFERENT = (
    (r"(tags|metadata)\.(name|text)\b.*", "", "a prefixed key is the key that was written; no trace has such a tag"),
    (r"tags\.env = 'it''s'", 'tags.env = "it\'s"', "a doubled quote is one quote, as in SQL"),
    (r"trace\.text LIKE '%\\\"hi\\\"%'", "trace.text LIKE '%say%'", "text is seen as it was sent and as it decodes"),
)
# The same of single attributes of spans: what we find is what the spans say.
ATTRIBUTE = re.compile(r"span\.attributes\.`?([^`=]+?)`? (=|RLIKE) '([^']*)'")
ATTRIBUTES_WHY = (
    "`=` compares, MLflow finds nothing; RLIKE sees the value alone, MLflow's runs on into later attributes"
)
# Filters that MLflow answers, with nothing, and this package refuses.
STRICTER = (
    (r"tags\. = 'x'", "a tag has a name"),
    (r"issue\.name = 'slow'", "an issue has no such key; MLflow says nothing and finds nothing"),
    (r"(execution_time|timestamp).* '[^0-9']*'", "a text is no number; MLflow has all numbers below it"),
    (r"timestamp > '2020-01-01x'", "the same"),
)
# What MLflow refuses and this package understands, by MLflow's message.
WIDER = (
    (r"Invalid comparator '(NOT )?(IN|LIKE)'", "IN, NOT IN and NOT LIKE on every text"),
    (r"(span|issue)\.\S+ comparator", "every comparator on every text of a span, an issue"),
    (r"Invalid comparator '(>=?|<=?)'", "tags and metadata compared with a number are the numbers that they say"),
    (r"Invalid comparator 'IS (NOT )?NULL'", "IS NULL on every key"),
    (r"Expected a quoted string value for", "typed values: feedback, tags, attributes compared with numbers, lists"),
    (r"Invalid attribute key '(trace_id|session_id|experiment_id|request_preview)'", "more keys"),
    (r"Invalid span attribute '(id|parent_id)'", "more keys of spans"),
    (r"Invalid entity type 'assessment'", "assessments of either kind"),
    (r"Invalid clause\(s\) in filter string: ('OR'|'NOT'|'session'|'feedback.ok')", "OR, NOT, sessions, booleans"),
    (r"Invalid clause\(s\) in filter string: '(trace\.|attributes\.)?(timestamp|execution_time|end_time)", "numbers"),
    (r"Invalid comparator '!=' for prompts filter", "every comparator on prompts"),
    (r"Comparator '.*' is not supported for reserved metadata", "patterns on token usage and cost"),
    (r"Only the '\{.*\}' attributes support comparison with numeric", "numbers everywhere"),
    (r"Only attributes in \{.*\} supports comparison with a list", "lists everywhere"),
    (r"IN expression list, SELECT construct", "IN on attributes of spans, where MLflow breaks"),
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    stores = open_stores(tmp_path_factory.mktemp("filters"))
    model_population.make(stores)
    return Pair(stores)


def found(store: Any, filter_string: str | None, locations: list[str] | None, **more: Any) -> list[str] | Refusal:
    """The ids of the traces that a filter finds, in order, or the refusal."""
    result = answer(store, lambda one: one.search_traces(None, filter_string, 1_000, locations=locations, **more))
    return result if isinstance(result, Refusal) else [trace["trace_id"] for trace in result[0]]


def compare(pair: Pair, filter_string: str, locations: list[str]) -> str:
    """Asks both stores; says in a word how they agree.

    Raises:
        AssertionError: they do not, and no list above says so.
    """
    ours, theirs = (found(store, filter_string, locations) for store in (pair.ours, pair.theirs))
    if isinstance(ours, Refusal):
        assert ours.code == INVALID, filter_string
        if not isinstance(theirs, Refusal):
            assert _listed(STRICTER, filter_string), (filter_string, ours, theirs)
            return "stricter"
        assert ours.message == theirs.message, filter_string
        return "refused"
    if isinstance(theirs, Refusal):
        assert any(re.match(pattern, theirs.message) for pattern, _ in WIDER), (filter_string, ours, theirs)
        return "wider"
    if (match := ATTRIBUTE.fullmatch(filter_string)) and ours != theirs:
        assert ours == _with_attribute(pair.theirs, locations, *match.groups()), (filter_string, ATTRIBUTES_WHY)
        return "different"
    for pattern, instead, _ in DIFFERENT:
        if match := re.fullmatch(pattern, filter_string):
            same = found(pair.theirs, match.expand(instead), locations) if instead else []
            assert ours == same, filter_string
            return "different"
    assert ours == theirs, filter_string
    return "same" if ours else "empty"


def _with_attribute(store: Any, locations: list[str], key: str, comparator: str, value: str) -> list[str]:
    """The traces with a span that has such an attribute, by reading all spans."""
    hits = []
    for trace_id, attributes in _attributes(store, tuple(locations)):
        texts = [_text(json.loads(one[key])) for one in attributes if key in one]
        if any(text == value if comparator == "=" else re.search(value, text) for text in texts):
            hits.append(trace_id)
    return hits


@cache
def _attributes(store: Any, locations: tuple[str, ...]) -> list[tuple[str, list[dict[str, str]]]]:
    """The attributes of all spans by their traces, newest first."""
    infos, _ = store.search_traces(max_results=1_000, locations=list(locations))
    traces = store.batch_get_traces([one.trace_id for one in infos if "mlflow.trace.spansLocation" in one.tags])
    return [(trace.info.trace_id, [span.to_dict()["attributes"] for span in trace.data.spans]) for trace in traces]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _listed(table: tuple[tuple[str, str], ...], filter_string: str) -> bool:
    return any(re.fullmatch(pattern, filter_string) for pattern, _ in table)


def test_both_stores_have_the_same_traces(pair: Pair) -> None:
    ours, theirs = (
        {trace["trace_id"]: trace for trace in found}
        for found, _ in pair.both(lambda store: store.search_traces(max_results=1_000))
    )
    assert ours.keys() == theirs.keys()
    assert len(ours) == 64


def test_filters_observed_of_mlflow(pair: Pair) -> None:
    counts = _counts(pair, VECTORS, ["1"])
    assert sum(counts.values()) == 186
    assert counts["same"] > 90


def test_every_key_with_every_comparator(pair: Pair) -> None:
    counts = _counts(pair, every_clause(), GENERATED)
    assert counts["same"] > 300
    assert counts["refused"] > 30


def test_ands_of_clauses(pair: Pair) -> None:
    counts = _counts(pair, conjunctions(200), GENERATED)
    assert counts["same"] > 20


def _counts(pair: Pair, filters: Any, locations: list[str]) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(("same", "empty", "refused", "wider", "different", "stricter"), 0)
    for one in filters:
        counts[compare(pair, one, locations)] += 1
    return counts


# What this package accepts and MLflow does not: what MLflow's answers to other filters make of it.
SUPERSETS = (
    ("status = 'OK' OR tags.env = 'prod'", "status = 'OK' | tags.env = 'prod'"),
    ("NOT status = 'OK'", "~ status = 'OK'"),
    ("NOT tags.env = 'prod' AND status = 'OK'", "~ tags.env = 'prod' & status = 'OK'"),
    ("tags.env = 'prod' AND (status = 'OK' OR status = 'ERROR')", "status IN ('OK', 'ERROR') & tags.env = 'prod'"),
    ("tags.env IN ('prod', 'dev')", "tags.env = 'prod' | tags.env = 'dev'"),
    ("tags.env NOT IN ('prod', 'dev')", "tags.env != 'prod' & tags.env != 'dev'"),
    ("tags.env NOT LIKE 'p%'", "tags.env IS NOT NULL & ~ tags.env LIKE 'p%'"),
    ("name IN ('Alpha', 'beta')", "name = 'Alpha' | name = 'beta'"),
    ("run_id IN ('run-1', 'run-2')", "run_id = 'run-1' | run_id = 'run-2'"),
    ("metadata.k <> 'refund'", "metadata.k != 'refund'"),
    ("timestamp BETWEEN 11000 AND 12000", "timestamp >= 11000 & timestamp <= 12000"),
    ("timestamp IN (11000, 12000)", "timestamp = 11000 | timestamp = 12000"),
    ("execution_time IS NULL", "~ execution_time >= 0"),
    ("feedback.ok IN ('yes', 'no')", "feedback.ok = 'yes' | feedback.ok = 'no'"),
    ("feedback.score = 5", "feedback.score >= 5 & feedback.score <= 5"),
    ("assessment.exp = 'abc'", "feedback.exp = 'abc' | expectation.exp = 'abc'"),
    ("trace_id = 'tr-00000000000000000000000000000007'", "request_id = 'tr-00000000000000000000000000000007'"),
    ("session = 's1'", "metadata.mlflow.trace.session = 's1'"),
    ("user != 'u1'", "metadata.mlflow.trace.user != 'u1'"),
    ("span.name = 'root' OR span.type = 'LLM'", "span.name = 'root' | span.type = 'LLM'"),
    ("HAS(span.name = 'root') AND HAS(span.type = 'LLM')", "span.name = 'root' & span.type = 'LLM'"),
    ("NOT span.name = 'root'", "~ span.name = 'root'"),
    ("tags.env ILIKE 'été'", "tags.env = 'Été'"),
)


@pytest.mark.parametrize(("ours", "theirs"), SUPERSETS)
def test_what_mlflow_refuses_is_what_it_says(pair: Pair, ours: str, theirs: str) -> None:
    everything = found(pair.theirs, None, GENERATED)
    assert not isinstance(everything, Refusal)
    wanted: set[str] = set()
    for side in theirs.split(" | "):
        both = set(everything)
        for part in side.split(" & "):
            these = found(pair.theirs, part.removeprefix("~ "), GENERATED)
            assert not isinstance(these, Refusal)
            both = both - set(these) if part.startswith("~ ") else both & set(these)
        wanted |= both
    assert found(pair.ours, ours, GENERATED) == [one for one in everything if one in wanted]


ORDERS = (
    [],
    *(
        [f"{key}{way}"]
        for key in ("timestamp", "execution_time_ms", "end_time", "status")
        for way in ("", " ASC", " desc")
    ),
    *([f"{key}{way}"] for key in ("name", "run_id", "request_id", "experiment_id") for way in ("", " DESC")),
    *([f"{key}{way}"] for key in ("tags.env", "tag.`my key`", "metadata.k", "tags.none") for way in ("", " DESC")),
    ["metadata.mlflow.trace.session", "status DESC"],
    ["attribute.status", "trace.end_time DESC", "tags.score"],
    ["execution_time", "timestamp ASC", "request_id DESC"],
    ["`timestamp` DESC"],
)


@pytest.mark.parametrize("order_by", ORDERS, ids=str)
def test_orders(pair: Pair, order_by: list[str]) -> None:
    ours, theirs = (found(store, None, GENERATED, order_by=order_by) for store in (pair.ours, pair.theirs))
    assert ours == theirs
    assert len(ours) == model_population.TRACES


REFUSED_ORDERS = (
    ["nothing"],
    ["timestamp UP"],
    ["timestamp ASC DESC"],
    ["feedback.score"],
    ["expectation.exp"],
    ["span.name"],
    [""],
    ["'timestamp'"],
    ["timestamp", "timestamp_ms DESC"],
    ["tags.env", "tag.env"],
)


@pytest.mark.parametrize("order_by", REFUSED_ORDERS, ids=str)
def test_orders_that_both_refuse(pair: Pair, order_by: list[str]) -> None:
    ours, theirs = (found(store, None, GENERATED, order_by=order_by) for store in (pair.ours, pair.theirs))
    assert isinstance(theirs, Refusal)
    assert isinstance(ours, Refusal)
    assert ours.code == INVALID
    if theirs.code == INVALID:
        assert ours.message == theirs.message


@pytest.mark.parametrize("size", [1, 7, 59, 60, 61])
@pytest.mark.parametrize("order_by", [None, ["status", "tags.env DESC"]])
def test_pages(pair: Pair, size: int, order_by: list[str] | None) -> None:
    """As many pages of the same traces; the tokens are each store's own."""
    pages: list[list[list[str]]] = []
    for store in (pair.ours, pair.theirs):
        pages.append([])
        token = None
        while True:
            traces, token = store.search_traces(GENERATED, "", size, order_by, token)
            pages[-1].append([trace.trace_id for trace in traces])
            if not token:
                break
    assert pages[0] == pages[1]


def test_a_token_is_text_or_bytes(pair: Pair) -> None:
    _, token = pair.ours.search_traces(GENERATED, max_results=10)
    first, second = (
        pair.ours.search_traces(GENERATED, max_results=10, page_token=given)[0] for given in (token, token.encode())
    )
    assert [one.trace_id for one in first] == [one.trace_id for one in second]


@pytest.mark.parametrize("token", ["?", "bm90IGpzb24=", "eyJvZmZzZXQiOiAwfQ==", "eyJvdGhlciI6IDF9"])
def test_tokens_of_nobody(pair: Pair, token: str) -> None:
    ours, theirs = pair.both(lambda store: store.search_traces(GENERATED, page_token=token))
    assert ours.code == theirs.code == INVALID


@pytest.mark.parametrize("given", [0, -1, None, 50_001, "x"])
def test_sizes_of_pages_that_are_none(pair: Pair, given: Any) -> None:
    ours, theirs = pair.both(lambda store: store.search_traces(GENERATED, max_results=given))
    assert ours == theirs


LOCATIONS: tuple[dict[str, Any], ...] = (
    {"locations": None},
    {"locations": []},
    {"locations": ["2"]},
    {"locations": ["3", "2"]},
    {"locations": ["1", "1"]},
    {"locations": ["999"]},
    {"experiment_ids": ["2"]},
    {"experiment_ids": []},
    {"experiment_ids": ["2"], "locations": ["2"]},
    {"experiment_ids": ["2"], "locations": []},
    {"experiment_ids": [2]},
)


@pytest.mark.parametrize("where", LOCATIONS, ids=str)
def test_where_to_search(pair: Pair, where: dict[str, Any]) -> None:
    ours, theirs = (
        answer(store, lambda one: [trace.trace_id for trace in one.search_traces(max_results=100, **where)[0]])
        for store in (pair.ours, pair.theirs)
    )
    assert ours == theirs


def test_a_location_that_is_no_number_has_no_traces(pair: Pair) -> None:
    """MLflow's store breaks here: its ids are numbers."""
    ours, theirs = pair.both(lambda store: store.search_traces(locations=["none"]))
    assert ours == [[], None]
    assert isinstance(theirs, Refusal)
    assert theirs.code in (None, "INTERNAL_ERROR", INVALID)

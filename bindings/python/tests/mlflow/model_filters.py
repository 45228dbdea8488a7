"""Filters for the generated population: every key with every comparator, and random ANDs of these.

What MLflow refuses is among them, too. `unlike` says of a filter whether the stores are to differ, and why.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

TEXT = ("=", "!=", "LIKE", "ILIKE", "RLIKE")
LISTS = ("IN", "NOT IN")
NUMBER = ("=", "!=", ">", ">=", "<", "<=")
NULL = ("IS NULL", "IS NOT NULL")
ALL = (*TEXT, *LISTS, *NUMBER[2:], *NULL)

# Keys whose values are texts, and such values; a key without a prefix is asked with each of the prefixes, too.
TEXT_KEYS: dict[str, Sequence[str]] = {
    "status": ("OK", "ERROR", "IN_PROGRESS", "STATE_UNSPECIFIED", "ok"),
    "name": ("Alpha", "100%_x", "naïve"),
    "run_id": ("run-1", "run-2", "no such"),
    "client_request_id": ("c-1", "C-2"),
    "request_id": ("tr-00000000000000000000000000000007", "tr-nothing"),
    "tags.env": ("prod", "Été", ""),
    "tag.`my key`": ("v 1",),
    'tags."a.b"': ("dot",),
    "tags.user": ("u1",),
    "tags.group": ("x",),
    "tags.score": ("5", "11"),
    "tags.mlflow.traceName": ("beta",),
    "tags.missing": ("x",),
    "metadata.k": ("refund", 'say "hi"', "東京の天気", ""),
    "request_metadata.mlflow.trace.session": ("s1", "s5"),
    "metadata.`mlflow.trace.user`": ("u1",),
    "metadata.mlflow.sourceRun": ("run-2",),
    "metadata.mlflow.modelId": ("m-1",),
    "metadata.mlflow.trace.tokenUsage": ('{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}', "x"),
    "metadata.mlflow.trace.cost": ('{"total_cost": 0.25}', '{"total_cost":0.25}'),
    "span.name": ("llm_call", "Ünique"),
    "span.type": ("LLM", "my type", "llm"),
    "span.status": ("OK", "UNSET"),
}
VERDICT_KEYS: dict[str, Sequence[str]] = {
    "feedback.score": ("0.9", "5", "-3", "true", "null"),
    "feedback.ok": ("true", "yes", "Yes", "no"),
    "feedback.labels": ('["a", "b"]', "b"),
    "feedback.`my score`": ("good", "1", "1.0"),
    "feedback.detail": ('{"x": 1}',),
    "feedback.`whole session`": ("good",),
    "expectation.exp": ("abc", "4", "true"),
    "feedback.exp": ("abc",),
}
NUMBER_KEYS: dict[str, Sequence[str]] = {
    "timestamp": ("11000", "10000", "0"),
    "timestamp_ms": ("12000", "'11500'"),
    "execution_time": ("5", "0", "-1"),
    "execution_time_ms": ("250",),
    "end_time": ("12000",),
    "end_time_ms": ("11005",),
}
# Patterns that mean the same to a text as it was sent and to the JSON that MLflow's store has of it.
SPAN_PATTERNS = (
    "%refund%",
    "%café%",
    "%100%sure%",
    "%gpt-4%",
    "%東京%",
    "%LLM%",
    "%mlflow.spanInputs%",
    "%nothing such%",
)
ATTRIBUTES = ("model", "temp", "n", "flag", "`tenant id`", "mlflow.spanType")
ODD = (
    *("", "AND", "status = 'OK' AND", "AND AND status = 'OK'", "status 'OK'", "= 'OK'", "status =", "status", "'OK'"),
    *("statuss = 'OK'", "nothing.x = 'y'", "status = `OK`", "status = 'OK'; name = 'x'", "(status = 'OK'", "a.b.c = 1"),
    *("status IN ()", "status IN ('OK',)", "status IN (1)", "status IN 'OK'", "status NOT NULL", "status IS OK"),
    *("tags. = 'x'", "feedback. = 'x'", "span.attributes. = 'x'", "span.nothing = 'x'", "span = 'x'", "tags = 'x'"),
    *("prompt = 'qa/2'", "prompt = 'sum up/1'", "prompt != 'qa/2'", "prompt = 'qa'", "prompt LIKE 'qa%'"),
    *("issue.id = 'iss-1'", "issue.id LIKE 'iss%'", "issue.name = 'slow'", "issue.id = 5", "issue.id IS NULL"),
    *("timestamp > '2020-01-01x'", "timestamp = ''", "execution_time = 5.0", "execution_time IS NULL"),
    *("name = 'Alpha' name != 'beta'", "status != 'OK' AND status != 'ERROR'", 'name = "it\'s"', "name LIKE '%'"),
    *("\n status\t=\n'OK'  ", "status='OK'AND name='Alpha'", "status = 'OK' -- comment", "status = 'OK' # x"),
    *("run_id = 'run-1' AND tags.env = 'prod'", "metadata.mlflow.sourceRun = 'run-2' AND status = 'OK'"),
)


def every_clause() -> list[str]:
    """One filter for each key, comparator and value."""
    found = list(ODD)
    for key, values in {**TEXT_KEYS, **VERDICT_KEYS}.items():
        for value in values:
            found += [f"{key} {comparator} {_literal(comparator, value)}" for comparator in TEXT]
        found += [f"{key} {comparator} {_literal(comparator, values[0])}" for comparator in LISTS]
        found += [f"{key} {comparator} 0.5" for comparator in NUMBER[2:]]
        found += [f"{key} {comparator}" for comparator in NULL]
    for key, values in NUMBER_KEYS.items():
        found += [f"{key} {comparator} {value}" for value in values for comparator in NUMBER]
        found += [f"{key} LIKE '1%'", f"trace.{key} > {values[0]}", f"attributes.{key} <= {values[0]}"]
    for pattern in SPAN_PATTERNS:
        found += [f"{key} {comparator} '{pattern}'" for key in ("trace.text", "span.content") for comparator in TEXT]
    for key in ATTRIBUTES:
        for value in ("gpt-4", "5", "true", "Acme"):
            found += [f"span.attributes.{key} {comparator} '%{value}%'" for comparator in ("LIKE", "ILIKE")]
            found += [f"span.attributes.{key} RLIKE '{pattern}'" for pattern in (value, f"^{value}$")]
            found += [f"span.attributes.{key} = '{value}'", f"span.attributes.{key} IN ('{value}')"]
    found += [f"{prefix}.{key} = 'x'" for prefix in ("trace", "attribute", "attributes") for key in ("name", "status")]
    return found


def _literal(comparator: str, value: str) -> str:
    if comparator in LISTS:
        return f"({_quoted(value)}, 'other')"
    if comparator in ("LIKE", "ILIKE"):
        return _quoted(f"%{value[1:]}%")
    if comparator == "RLIKE":
        return _quoted(f"^{re.escape(value[:3])}")
    return _quoted(value)


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


def conjunctions(count: int) -> Iterator[str]:
    """Random ANDs of two or three clauses, always the same."""
    chance = random.Random(7)
    clauses = [one for one in every_clause()[len(ODD) :] if "span.attributes" not in one]
    for _ in range(count):
        yield " AND ".join(chance.sample(clauses, chance.choice((2, 2, 3))))

"""What traces, spans and assessments of the tests carry and what is done to them, odd as it may be."""

from __future__ import annotations

import math
from typing import Any

from mlflow.entities import AssessmentError, AssessmentSource
from mlflow.entities.assessment import ExpectationValue, FeedbackValue
from model_spans import trace_id
from opentelemetry.sdk.trace import Event
from opentelemetry.trace import Link, SpanContext, SpanKind

FIRST = trace_id(1)
LINKED = SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=True)

# What a span is made with, beside its ids: `model_spans.span`.
SPANS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "kind": {"kind": SpanKind.PRODUCER},
    "error": {"status": "ERROR", "message": "böse\n"},
    "unset": {"status": "UNSET"},
    "open": {"end_ms": None},
    "ends before it begins": {"start_ms": 20, "end_ms": 10},
    "names": {"name": "näme \0 x"},
    "types": {"span_type": "my type"},
    "a type that is no text": {"span_type": 5},
    "levels": {"attributes": {"mlflow.spanLogLevel": 20, "mlflow.spanDescription": "d"}},
    "long": {"inputs": "x" * 100_000},
    "many": {"attributes": {f"key {number}": number for number in range(300)}},
    "events": {
        "events": [
            Event("first", {"a": 1, "b": [1.0, 2.5], "c": math.nan, "d": math.inf, "e": True, "f": ["x", "y"]}, 5),
            Event("", {}, 2**62),
            Event("exception", {"exception.message": "m", "$a": "b", "": "x"}, 0),
        ]
    },
    "bytes": {"events": [Event("first", {"a": b"\xff\x00"}, 5)], "texts": {"a": b"\xff"}},
    "links": {"links": [Link(LINKED, {"a": "b", "n": 1, "$d": 1.5}), Link(LINKED, {})]},
    "no finite numbers": {
        "attributes": {"a": math.nan, "b": [math.inf, {"x": -math.inf}], "c": "NaN", "d": "Infinity"}
    },
    "dollars": {
        "attributes": {
            "$a": 1,
            "b": {"$double": "NaN"},
            "c": {"$bytes": "AA=="},
            "d": {"$x": {"$y": 1}},
            "e": {"$": 1},
            "f": {"$$a": 2},
            "g": {"$a": 1, "b": 2},
            "h": [{"$double": "1"}],
        }
    },
    "large numbers": {
        "attributes": {"a": 2**70, "b": -(2**63), "c": [10**30, {"x": 10**25}], "d": 2**64 - 1, "e": 10**400}
    },
    "fractions": {"attributes": {"a": 1e308, "b": 5e-324, "c": 1.0, "d": -0.0, "e": 0.1, "f": 1e16, "g": 1e22}},
    "letters": {
        "attributes": {"é": "naïve 東京 \u2028 😀", 'a"b': 'q"\\', "c": "\x01\x1f\x7f", "tab\t": "\t", "n": "a\0b"}
    },
    "half characters": {"texts": {"a": '"\\ud800"', "b": '{"k": ["\\ud83d x"]}', "c": '"\\ud83d\\ude00"'}},
    "nested": {"attributes": {"a": {"b": {"c": [1, [2, [{"d": None}]]]}}, "e": [], "f": {}, "g": "", "h": False}},
    "JSON in text": {"attributes": {"j": "null", "k": '{"a": 1}', "l": "[1]", "m": "5", "n": "true", "o": '"x"'}},
    "plain types": {"texts": {"a": 5, "b": 1.5, "c": True, "d": ["x", "y"], "e": [1, 2]}},
    "spacing": {
        "texts": {"a": '{"q":1,  "b":[1,2]}', "b": "1e3", "c": "1E+3", "d": "1.50", "e": '"\\u00e9"', "f": " 5 "}
    },
    "keys": {"attributes": {"": "x", " ": "y"}},
    "GenAI": {
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.output_tokens": 7,
            "gen_ai.input.messages": [{"role": "user", "content": "hi"}],
        }
    },
    "OpenInference": {
        "attributes": {
            "openinference.span.kind": "LLM",
            "input.value": "x",
            "llm.model_name": "gpt-4o-mini",
            "llm.token_count.prompt": 3,
            "llm.token_count.completion": 4,
        }
    },
}

# Attributes that are no JSON text, or nearly one.
NO_JSON = (
    *(
        "plain text",
        "{broken",
        "",
        "'x'",
        "01",
        "[1,]",
        "5 6",
        "1}",
        '1,"b":2',
        '{"a":1,"a":2}',
        "nan",
        "NaN",
        "Infinity",
    ),
    *('"tab\tinside"', '"line\ninside"', '"\x00"', "+5", ".5", "5.", "0x5", "1e400", "-", "tru", "True", "\ufeff5"),
)

# Values of feedback and expectations.
VERDICTS: tuple[Any, ...] = (
    *(1, 1.0, 0.1, True, False, "yes", "é", None, "", -0.0, 2**53 + 1, 2**70, math.nan, math.inf, "a\0b"),
    *([1, "a", None], {"a": [1]}, {"a": {"b": 1}}, [], {}, {"$double": "NaN"}, {"$a": 1}, [math.nan]),
)

# Tags that are set: key and value. Some are refused, some cut.
TAGS_SET: tuple[tuple[str, str], ...] = (
    *(("a", "c"), ("b", "é"), ("mlflow.traceName", "M"), ("k" * 250, "v"), ("v", "x" * 8_001), ("a b/c.d-e:f_", "x")),
    *(("k" * 251, "v"), ("bad$", "x"), ("", "x"), ("nul", "a\0b"), ("é", "x"), ("..", "x"), ("a//b", "x"), ("/a", "x")),
    *(("mlflow.traceName", "x" * 4_097), ("mlflow.artifactLocation", "a/b/c/d"), ("mlflow.trace.spansLocation", "X")),
)

# Which traces of experiment 1 are deleted; they are of 1000 to 1030 ms.
DELETES: tuple[dict[str, Any], ...] = (
    *({}, {"trace_ids": []}, {"max_traces": 1}, {"max_timestamp_millis": 1_000, "trace_ids": [FIRST]}),
    *({"trace_ids": [FIRST], "max_traces": 1}, {"max_timestamp_millis": 1_000, "max_traces": 0}),
    *({"trace_ids": [FIRST, "tr-none", FIRST]}, {"max_timestamp_millis": 1_010, "max_traces": 1}),
    *({"max_timestamp_millis": 1_010}, {"max_timestamp_millis": 0}, {"max_timestamp_millis": 9_999, "max_traces": 9}),
)

# Feedback, beside its ids and its name.
FEEDBACK: tuple[dict[str, Any], ...] = (
    {"value": 1, "rationale": "why\n", "metadata": {"a": "b", "mlflow.assessment.sourceRunId": "r"}},
    {"value": 1, "span_id": f"{1:016x}", "source": AssessmentSource("HUMAN", "me")},
    {"value": 1, "source": AssessmentSource("LLM_JUDGE", "gpt")},
    {"value": 1, "source": AssessmentSource("HUMAN")},
    {"error": AssessmentError("CODE", "message", "trace\n" * 10)},
    {"error": AssessmentError("CODE", "message", "t" * 5_000)},
    {"error": AssessmentError("CODE")},
    {"error": ValueError("boom")},
    {"value": 5, "error": "boom"},
    {"value": 1, "valid": False},
    {"value": 1, "rationale": "x" * 100_000},
)

# Changes of the feedback `a-f`, the expectation `a-e`, and `a-x`, which is an error.
UPDATES: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("a-f", {"name": "g"}), ("a-f", {"feedback": FeedbackValue("new")}), ("a-f", {"rationale": ""}), ("a-f", {})),
    *(
        ("a-f", {"metadata": {"a": "c", "x": "y"}}),
        ("a-f", {"metadata": {}}),
        ("a-f", {"expectation": ExpectationValue(1)}),
    ),
    *(
        ("a-e", {"expectation": ExpectationValue({"a": 1})}),
        ("a-e", {"feedback": FeedbackValue(1)}),
        ("a-e", {"name": "n"}),
    ),
    *(("a-x", {"rationale": "keeps the error"}), ("a-x", {"feedback": FeedbackValue(3)}), ("a-none", {"name": "x"})),
    ("a-x", {"feedback": FeedbackValue(None, AssessmentError("B", "b", "stack"))}),
    ("a-f", {"feedback": FeedbackValue(1), "expectation": ExpectationValue(1)}),
)

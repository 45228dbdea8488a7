"""What the filters are asked about: four traces with the odd cases, and a generated population of some sixty.

Every step is a call on one store, and is made on both.
"""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

from mlflow.entities import AssessmentError, Span, TraceInfo
from mlflow.entities.model_registry import PromptVersion
from model_spans import expectation, feedback, info, issue, span, trace_id

SESSION = "mlflow.trace.session"
SPAN_TYPES = ("LLM", "CHAIN", "TOOL", "RETRIEVER", "AGENT", "my type")
MODELS = ("gpt-4", "gpt-4o", "claude", "naïve-1")
WORDS = ("refund", "Refund", "café", "100% sure", "a_b", "it's", 'say "hi"', "東京の天気", "")
TRACES = 60


def make(stores: SimpleNamespace) -> None:
    """Makes all traces on both stores: `a` to `d` in experiment 1, the others in 2 and 3."""
    for store in stores.both:
        store.create_experiment("two")
        store.create_experiment("three")
        _observed(store)
        _generated(store, random.Random(20))


def _observed(store: Any) -> None:
    """The traces of the filters in `model_vectors`."""
    tags = {"env": "prod", "my key": "v 1", "a.b": "dot"}
    metadata = {"mlflow.sourceRun": "r1", "k": "v", SESSION: "s1"}
    usage = {"mlflow.trace.tokenUsage": json.dumps({"input_tokens": 3, "output_tokens": 4, "total_tokens": 7})}
    store.start_trace(info("tr-a", 1_000, 10, name="Alpha", tags=tags, metadata=metadata, client_request_id="c-1"))
    store.start_trace(
        info("tr-b", 2_000, None, "IN_PROGRESS", name="beta", tags={"env": "Prod"}, metadata={SESSION: "s1"})
    )
    store.start_trace(info("tr-c", 3_000, 50, "ERROR", tags={"env": "it's"}, metadata=usage))
    store.start_trace(info("tr-d", 4_000, 5, name="100%_x"))
    texts = {"model": "gpt-4", "temp": 0.7, "n": 5, "flag": True}
    question = {"q": "Hello World"}
    store.log_spans(
        "1",
        [
            span("tr-a", 1, "root", span_type="CHAIN", inputs=question, outputs="naïve café", attributes=texts),
            span("tr-a", 2, "llm_call", parent=1, span_type="LLM", attributes={"mlflow.llm.model": "gpt-4"}),
        ],
    )
    asked = {"model": "claude", "mlflow.spanInputs": {"q": 'say "hi" %x_'}}
    times = {"start_ms": 2_000, "end_ms": 2_001}
    store.log_spans("1", [span("tr-b", 1, "llm_call", span_type="CHAIN", status="ERROR", attributes=asked, **times)])
    _observed_verdicts(store)


def _observed_verdicts(store: Any) -> None:
    values: dict[str, list[tuple[str, Any]]] = {
        "score": [("tr-a", 0.9), ("tr-a", 0.2), ("tr-b", "0.9"), ("tr-c", 5)],
        "ok": [("tr-a", True), ("tr-b", False), ("tr-c", "yes"), ("tr-d", "true")],
        "lst": [("tr-c", ["a", "b"])],
    }
    for name, given in values.items():
        for number, (trace, value) in enumerate(given):
            store.create_assessment(feedback(trace, f"a-{name}-{number}", name, value))
    store.create_assessment(feedback("tr-d", "a-old", "rel", "no"))
    store.create_assessment(feedback("tr-d", "a-new", "rel", "yes", overrides="a-old"))
    store.create_assessment(feedback("tr-c", "a-err", "err", error=AssessmentError("E", "no verdict")))
    store.create_assessment(feedback("tr-a", "a-sess", "sess", "good", metadata={SESSION: "s1"}))
    for trace, value in (("tr-a", {"x": 1}), ("tr-b", "abc")):
        store.create_assessment(expectation(trace, f"a-exp-{trace}", "exp", value))


def _generated(store: Any, chance: random.Random) -> None:
    """Traces of all kinds, in the experiments 2 and 3: with spans before or after their start, with only the one or
    the other.

    Where the stores make something else of what they are told, which `test_traces` says, there is no such trace here.
    """
    for number in range(1, TRACES + 1):
        trace, experiment = trace_id(number), "23"[number % 5 == 0]
        begun_ms = 10_000 + 100 * chance.randrange(40)
        spans = _spans(trace, begun_ms, chance)
        if number % 10 == 0:
            named = {"mlflow.traceTag.mlflow.traceName": "by its span", "session.id": f"s{number % 6}", "user.id": "u1"}
            store.log_spans(experiment, [_root(trace, begun_ms, named), *spans[1:]])
        elif number % 3 == 0:
            store.log_spans(experiment, spans)
            store.start_trace(_info(trace, begun_ms, experiment, chance, bool(spans), (0, 5, 5)))
        else:
            store.start_trace(_info(trace, begun_ms, experiment, chance, bool(spans), (250, 1_000)))
            store.log_spans(experiment, spans)
        _verdicts(store, trace, number, chance)
    store.link_traces_to_run([trace_id(number) for number in range(2, 40, 9)], "run-2")
    for number in range(3, 50, 11):
        prompts = [PromptVersion("qa", 1 + number % 3, "hello"), PromptVersion("sum up", 1, "hello")]
        store.link_prompts_to_trace(trace_id(number), prompts)


def _info(
    trace: str, begun_ms: int, experiment: str, chance: random.Random, has_spans: bool, durations: tuple[int, ...]
) -> TraceInfo:
    tags = {"env": chance.choice(("prod", "Prod", "dev", "Été", "")), "score": str(chance.randrange(12))}
    tags.update({"user": "u1", "a.b": "dot", "my key": "v 1", "group": "x"})
    metadata = {
        "mlflow.sourceRun": chance.choice(("run-1", "run-2")),
        SESSION: f"s{chance.randrange(6)}",
        "mlflow.trace.user": f"u{chance.randrange(3)}",
        "mlflow.modelId": f"m-{chance.randrange(3)}",
        "k": chance.choice(WORDS),
    }
    tokens = [chance.randrange(5) for _ in range(2)]
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    metadata["mlflow.trace.tokenUsage"] = json.dumps(usage)
    metadata["mlflow.trace.cost"] = json.dumps({"total_cost": 0.25})
    open_states = () if has_spans else ("IN_PROGRESS", "STATE_UNSPECIFIED")
    names = ("Alpha", "beta", "naïve", "100%_x", "it's")
    return info(
        trace,
        begun_ms,
        chance.choice(durations if has_spans else (*durations, None)),
        chance.choice(("OK", "OK", "ERROR", *open_states)),
        experiment=experiment,
        name=chance.choice(names if has_spans else (*names, None)),
        tags={key: value for key, value in tags.items() if chance.random() < 0.6},
        metadata={key: value for key, value in metadata.items() if chance.random() < 0.6},
        client_request_id=chance.choice((None, None, "c-1", "C-2")),
        request_preview="asked",
        response_preview="answered",
    )


def _root(trace: str, begun_ms: int, attributes: dict[str, Any]) -> Span:
    return span(
        trace,
        1,
        "only spans",
        start_ms=begun_ms,
        end_ms=begun_ms + 60,
        span_type="AGENT",
        inputs="asked",
        attributes=attributes,
    )


def _spans(trace: str, begun_ms: int, chance: random.Random) -> list[Span]:
    made = []
    for number in range(1, 1 + chance.randrange(4)):
        attributes = {
            "model": chance.choice(MODELS),
            "temp": chance.choice((0.7, 1, 0)),
            "n": chance.randrange(4),
            "flag": chance.random() < 0.5,
            "tags": ["a", chance.choice(WORDS)],
            "tenant id": chance.choice(("acme", "Acme")),
            "nested": {"model": chance.choice(MODELS), "deep": [1, {"x": "y"}]},
        }
        made.append(
            span(
                trace,
                number,
                chance.choice(("root", "llm_call", "search", "Ünique")),
                parent=None if number == 1 else 1,
                start_ms=begun_ms + number,
                end_ms=begun_ms + number + chance.randrange(50),
                span_type=chance.choice(SPAN_TYPES),
                status=chance.choice(("OK", "ERROR", "UNSET")),
                inputs={"q": chance.choice(WORDS), "n": number},
                outputs=chance.choice((None, chance.choice(WORDS), ["x", 1.5])),
                attributes={key: value for key, value in attributes.items() if chance.random() < 0.6},
            )
        )
    return made


def _verdicts(store: Any, trace: str, number: int, chance: random.Random) -> None:
    values: dict[str, tuple[Any, ...]] = {
        "score": (0.9, 0.2, 5, "0.9", 1, True, -3, None),
        "ok": (True, False, "yes", "true", "no", "Yes"),
        "labels": (["a", "b"], [], ["b"]),
        "my score": (1, 0.5, "good"),
        "detail": ({"x": 1}, {"x": "a"}),
    }
    for place, (name, choice) in enumerate(values.items()):
        for again in range(chance.randrange(3)):
            one = feedback(trace, f"a-{number}-{place}-{again}", name, chance.choice(choice))
            if again and chance.random() < 0.5:
                one.overrides = f"a-{number}-{place}-0"
            store.create_assessment(one)
    if number % 4 == 0:
        # It counts for all traces of the session.
        metadata = {SESSION: f"s{number % 6}"}
        store.create_assessment(feedback(trace, f"a-{number}-s", "whole session", "good", metadata=metadata))
    if number % 5 == 1:
        value = chance.choice(("abc", 4, 4.5, {"x": 1}, ["a"], True))
        store.create_assessment(expectation(trace, f"a-{number}-e", "exp", value))
    if number % 8 == 2:
        store.create_assessment(issue(trace, f"a-{number}-i", f"iss-{number % 3}", "slow"))

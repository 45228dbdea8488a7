"""Differences from MLflow's store that are meant, or known: what is done, what is read, and what both say.

Each has its reason. `Refused` stands for any error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from model_spans import expectation, feedback, info, span, trace_id

TRACE = trace_id(1)
NAME, USAGE = "mlflow.traceName", "mlflow.trace.tokenUsage"
Refused = "refused"
Step = Callable[[Any], Any]


class Difference(NamedTuple):
    why: str
    steps: tuple[Step, ...]
    read: Step
    ours: Any
    theirs: Any


def log(*numbers: int, **given: Any) -> Step:
    return lambda store: store.log_spans("1", [span(TRACE, number, **given) for number in numbers])


def start(**given: Any) -> Step:
    return lambda store: store.start_trace(info(TRACE, **given))


def told(*fields: str) -> Step:
    return lambda store: [getattr(store.get_trace_info(TRACE), field) for field in fields]


def tag(key: str) -> Step:
    return lambda store: store.get_trace_info(TRACE).tags.get(key)


def metadata(key: str) -> Step:
    return lambda store: store.get_trace_info(TRACE).trace_metadata.get(key)


def judge(value: Any) -> Step:
    return lambda store: store.create_assessment(feedback(TRACE, "a-1", "f", value))


def linked(store: Any) -> list[str]:
    return [one.trace_id for one in store.search_traces(filter_string="run_id = 'late'")[0]]


def nested(levels: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(levels):
        made = [made]
    return made


SOME = {"mlflow.chat.tokenUsage": {"input_tokens": 10}}
OPEN = {"duration_ms": None, "state": "IN_PROGRESS"}
TIMES = told("request_time", "execution_duration")

DIFFERENCES = (
    Difference("a list of traces without names is of no use", (log(1, name="root"),), tag(NAME), "root", None),
    Difference("a preview is for people", (log(1, inputs="hi"),), told("request_preview"), ["hi"], ['"hi"']),
    Difference(
        "a total that nobody says is the sum",
        (log(1, attributes=SOME),),
        metadata(USAGE),
        '{"input_tokens": 10, "total_tokens": 10}',
        '{"input_tokens": 10, "output_tokens": 0, "total_tokens": 0}',
    ),
    Difference(
        "what spans say does not depend on when they come",
        (log(1), start(**OPEN)),
        told("state", "execution_duration"),
        ["OK", 10],
        ["IN_PROGRESS", None],
    ),
    Difference(
        "a span that is sent again takes the place of the first in all that is said of its trace",
        (log(1), log(1, end_ms=1_005, status="ERROR")),
        told("state", "execution_duration"),
        ["ERROR", 5],
        ["OK", 10],
    ),
    Difference(
        "the root that begins first counts",
        (log(1, start_ms=1_003, status="ERROR"), log(2, start_ms=1_001)),
        told("state"),
        ["OK"],
        ["ERROR"],
    ),
    # MLflow depends on the order here: (1000, 10) with the start last.
    Difference("a trace begins with its first span", (start(), log(1, start_ms=900)), TIMES, [900, 110], [900, 110]),
    Difference("the same", (log(1, start_ms=900), start()), TIMES, [900, 110], [1_000, 10]),
    Difference(
        "the end that the client said stays",
        (start(), log(1, start_ms=900, end_ms=1_500)),
        TIMES,
        [900, 110],
        [900, 600],
    ),
    Difference(
        "spans are not lost for a long session",
        (log(1, attributes={"session.id": "s" * 300}),),
        told("trace_id"),
        [TRACE],
        Refused,
    ),
    Difference(
        "two tags follow from what is stored",
        (log(1), lambda store: store.delete_trace_tag(TRACE, "mlflow.trace.spansLocation")),
        tag("mlflow.trace.spansLocation"),
        "TRACKING_STORE",
        None,
    ),
    Difference(
        "an assessment that is sent again takes the place of the first",
        (start(), *(judge(value) for value in (1, 2))),
        lambda store: store.get_assessment(TRACE, "a-1").value,
        2,
        1,
    ),
    Difference(
        "every assessment has a rationale",
        (
            start(),
            lambda store: store.create_assessment(expectation(TRACE, "a-1", "e", 1)),
            lambda store: store.update_assessment(TRACE, "a-1", rationale="why"),
        ),
        lambda store: store.get_assessment(TRACE, "a-1").rationale,
        "why",
        None,
    ),
    Difference(
        "metadata is text",
        (start(), lambda store: store.create_assessment(feedback(TRACE, "a-1", "f", 1, metadata={"n": 5}))),
        lambda store: store.get_assessment(TRACE, "a-1").metadata,
        {"n": "5"},
        {"n": 5},
    ),
    Difference(
        "no id of a session is none",
        (start(metadata={"mlflow.trace.session": ""}),),
        metadata("mlflow.trace.session"),
        None,
        "",
    ),
    Difference("half a character is kept", (log(1, attributes={"a": "x\ud800"}),), told("trace_id"), [TRACE], Refused),
    Difference("times are after 1970", (log(1, start_ms=-5),), told("trace_id"), Refused, [TRACE]),
    # Known, and not meant: what the database does not have yet.
    Difference(
        "attributes nest to 64 levels", (log(1, attributes={"a": nested(99)}),), told("trace_id"), Refused, [TRACE]
    ),
    Difference(
        "a link is of a trace that is there",
        (lambda store: store.link_traces_to_run([TRACE], "late"), start()),
        linked,
        [],
        [TRACE],
    ),
)

"""Traces, spans, tags, assessments and links: calls on MLflow's own store and on this package's, side by side.

Where the two are to differ, a test of its own says how and why; the other tests keep away from that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from mlflow.entities import AssessmentError, Span
from mlflow.entities.model_registry import PromptVersion
from mlflow.entities.trace_status import TraceStatus
from model_pair import Pair, Refusal, open_stores, plain
from model_spans import expectation, feedback, info, issue, span, trace_id
from model_values import DELETES, FEEDBACK, NO_JSON, SPANS, TAGS_SET, UPDATES, VERDICTS

TRACE = trace_id(1)
OTHER = trace_id(2)
# Names the trace, as MLflow does not: it has no name for a trace that is known by its spans alone.
NAMED = {"mlflow.traceTag.mlflow.traceName": "N"}
USAGE = {"mlflow.chat.tokenUsage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}
COST = {"mlflow.llm.cost": {"input_cost": 0.5, "output_cost": 0.25, "total_cost": 0.75}}
USAGE_KEY, COST_KEY, SESSION_KEY = "mlflow.trace.tokenUsage", "mlflow.trace.cost", "mlflow.trace.session"

Step = Callable[[Any], Any]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    stores = open_stores(tmp_path_factory.mktemp("traces"))
    for store in stores.both:
        store.create_experiment("two")
        store.create_experiment("gone")
        store.delete_experiment("3")
    return Pair(stores)


@pytest.fixture
def pair(shared: Pair) -> Pair:
    """Both stores without traces."""
    for store in (shared.ours, shared.theirs):
        for experiment in "12":
            store.delete_traces(experiment, max_timestamp_millis=2**40)
    return shared


def start(**given: Any) -> Step:
    trace = given.pop("trace", TRACE)
    return lambda store: store.start_trace(info(trace, **given))


def log(*made: Mapping[str, Any], experiment: str = "1", trace: str = TRACE) -> Step:
    """Logs spans; each is told by what `span` takes, `number` is its id."""

    def call(store: Any) -> int:
        return len(store.log_spans(experiment, [span(trace, **{"number": 1, **one}) for one in made]))

    return call


def root(**given: Any) -> dict[str, Any]:
    return {**given, "attributes": {**NAMED, **given.get("attributes", {})}}


def same_trace(pair: Pair, *trace_ids: str) -> Any:
    """Checks that both stores tell the same of traces; gives the info of the first."""
    for one in trace_ids or (TRACE,):
        pair.same(lambda store, one=one: store.get_trace(one, allow_partial=True))
    return pair.same(lambda store: store.get_trace_info((trace_ids or (TRACE,))[0]))


METADATA = {
    "k": "v",
    SESSION_KEY: "S",
    "mlflow.trace.user": "U",
    USAGE_KEY: '{"total_tokens": 8, "output_tokens": 5, "input_tokens": 3}',
}
RESOURCE = {"service.name": "svc", "telemetry.sdk.language": "py", "mlflow.x": "y", "n": 5, "l": ["a"], "bad$": "x"}
TAGS = {"mlflow.traceTag.a": "b", "mlflow.traceTag.n": 5, "mlflow.traceTag.service.name": "mine"}

SEQUENCES: dict[str, tuple[Step, ...]] = {
    "start before spans": (start(name="N", metadata=METADATA, client_request_id="c"), log({"attributes": USAGE})),
    "start after spans": (log(root(attributes={**USAGE, "session.id": "t"})), start(name="M", metadata=METADATA)),
    "start between spans": (log({"number": 2, "parent": 1}), start(name="N"), log({})),
    "child before root": (log({"number": 2, "parent": 1, "attributes": USAGE}), log(root())),
    "an open root": (log(root(end_ms=None)),),
    "a root that ends later": (log(root(end_ms=None)), log(root(end_ms=1_020))),
    "a root that fails": (log(root(status="ERROR", message="boom")),),
    "a root that says nothing": (log(root(status="UNSET")),),
    "tokens of parent and child": (log(root(attributes=USAGE), {"number": 2, "parent": 1, "attributes": USAGE}),),
    "tokens in batches": (
        log({"number": 2, "parent": 1, "attributes": USAGE}),
        log({"number": 3, "parent": 1, "attributes": USAGE}),
        log(root(attributes=USAGE)),
    ),
    "session and user of spans": (log(root(attributes={"session.id": "t", "user.id": "u"})),),
    "session that is a number": (log(root(attributes={"session.id": 5})),),
    "conversation": (log(root(attributes={"gen_ai.conversation.id": "t"})),),
    "the first session stays": (
        log(root(attributes={"session.id": "t"})),
        log({"number": 2, "parent": 1, "attributes": {"session.id": "other"}}),
    ),
    "the start's session counts": (start(name="N", metadata=METADATA), log({"attributes": {"session.id": "t"}})),
    "tags of root and resource": (log(root(attributes=TAGS, resource=RESOURCE)),),
    "tags of a resource": (start(name="N", tags={"service.name": "mine"}), log({"resource": RESOURCE})),
    "tokens that are none": (start(name="N", metadata={USAGE_KEY: "nonsense", COST_KEY: '{"total_cost": NaN}'}),),
    "cost in parts": (start(name="N", metadata={COST_KEY: '{"total_cost": "5", "input_cost": 3.5, "x": 1}'}),),
    "started twice": (
        start(name="N", tags={"a": "b"}, metadata={"k": "v", USAGE_KEY: '{"input_tokens": 1}'}, request_preview="q"),
        start(ms=2_000, duration_ms=None, state="ERROR", tags={"a": "c", "d": "e"}, metadata={"k": "w"}),
        start(ms=3_000, duration_ms=7, name="M", response_preview="r", metadata={USAGE_KEY: '{"output_tokens": 2}'}),
    ),
    "not finished": (start(name="N", duration_ms=None, state="IN_PROGRESS"), log({})),
    "chat": (
        log(
            root(
                inputs={"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "no"}]},
                outputs={"choices": [{"message": {"role": "assistant", "content": "yes"}}]},
            )
        ),
    ),
}


def test_traces_of_one_resource_come_in_one_batch(pair: Pair) -> None:
    ids = [trace_id(number) for number in range(1, 5)]
    own = {"mlflow.traceTag.service.name": "mine"}
    spans = [
        span(
            one,
            number,
            resource={} if number == 4 else {"service.name": "svc", "n": 5},
            attributes=own if number == 3 else {},
        )
        for number, one in enumerate(ids, start=1)
    ]
    pair.same(lambda store: len(store.log_spans("1", spans)))
    for one in ids:
        pair.same(lambda store, one=one: store.get_trace_info(one).tags.get("service.name"))


@pytest.mark.parametrize("name", SEQUENCES)
def test_starts_and_spans(pair: Pair, name: str) -> None:
    for number, step in enumerate(SEQUENCES[name]):
        ours, theirs = pair.both(step)
        # MLflow gives the tags of before where a trace is started again.
        assert number or ours == theirs
    same_trace(pair)


def test_spans_of_several_traces(pair: Pair) -> None:
    pair.same(lambda store: len(store.log_spans("1", [span(one, 1, attributes=NAMED) for one in (TRACE, OTHER)])))
    same_trace(pair, TRACE, OTHER)


@pytest.mark.parametrize(
    "step",
    [
        start(experiment="77"),
        start(experiment="3"),
        start(trace="a/b"),
        start(trace=".."),
        start(trace="a%b"),
        start(trace=""),
        start(name="x" * 4_097),
        start(metadata={SESSION_KEY: "x" * 251}),
        log(experiment="77"),
        log({}, experiment="77"),
        log({"attributes": {"mlflow.traceRequestId": "a%b"}}),
        log(),
    ],
)
def test_what_is_refused(pair: Pair, step: Step) -> None:
    pair.same(step)
    pair.same(lambda store: store.search_traces())


def test_a_trace_stays_in_its_experiment(pair: Pair) -> None:
    pair.same(start(name="N"))
    for step in (start(experiment="2"), log({}, experiment="2")):
        assert pair.same(step).code == "INVALID_PARAMETER_VALUE"
    foreign = [span(OTHER, 9), span(TRACE, 1)]
    pair.same(lambda store: store.log_spans("2", foreign))
    pair.same(lambda store: store.get_trace_info(OTHER))
    same_trace(pair)


@pytest.mark.parametrize("name", SPANS)
def test_spans_read_back(pair: Pair, name: str) -> None:
    made = dict(SPANS[name])
    pair.same(log(root(**made)))
    spans = pair.same(lambda store: store.get_trace(TRACE).data.spans)
    assert len(spans) == 1
    ours, theirs = (_attributes(store.get_trace(TRACE).data.spans[0]) for store in (pair.ours, pair.theirs))
    assert ours == theirs


def _attributes(span: Span) -> str:
    """What a client sees, which makes spans of what it is sent."""
    return plain(json.dumps(Span.from_dict(span.to_dict()).attributes, sort_keys=True))


@pytest.mark.parametrize("text", NO_JSON)
def test_attributes_that_are_no_json(pair: Pair, text: str) -> None:
    """They stand for themselves, and change nothing of the other attributes."""
    pair.same(log(root(texts={"a": text})))
    pair.same(lambda store: store.get_trace(TRACE).data.spans)


def test_order_of_spans(pair: Pair) -> None:
    times = {5: 1_002, 9: 1_001, 1: 1_003, 3: 1_004}
    made = [{"number": number, "parent": None if number == 1 else 1, "start_ms": ms} for number, ms in times.items()]
    pair.same(log(*made))
    assert pair.same(lambda store: [int(one.span_id, 16) for one in store.get_trace(TRACE).data.spans]) == [1, 9, 5, 3]


@pytest.mark.parametrize("stats", ['{"num_spans": 2}', '{"num_spans": 1}', "{}"])
def test_traces_in_part(pair: Pair, stats: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    pair.same(start(name="N", metadata={"mlflow.trace.sizeStats": stats}))
    for number in (1, 2):
        pair.same(log({"number": number, "parent": None if number == 1 else 1}))
        pair.same(lambda store: store.get_trace(TRACE))
        pair.same(lambda store: store.get_trace(TRACE, allow_partial=True))
        pair.same(lambda store: store.batch_get_traces([TRACE]))


def test_a_trace_without_spans_has_no_data_here(pair: Pair) -> None:
    pair.same(start(name="N"))
    for partial in (True, False):
        refusal = pair.same(lambda store, partial=partial: store.get_trace(TRACE, allow_partial=partial))
        assert refusal.message == "Trace data not stored in tracking store"


def test_many_at_once(pair: Pair) -> None:
    for number, experiment in ((1, "1"), (2, "2"), (3, "1")):
        pair.same(log(root(), experiment=experiment, trace=trace_id(number)))
    a, b, c = (trace_id(number) for number in (1, 2, 3))
    scopes: list[dict[str, Any]] = [{}, {"experiment_ids": ["1"]}, {"experiment_ids": []}, {"location": "2"}]
    for wanted in ([a, b, c], [c, a], [a, b, a], [b, "tr-none"], []):
        for scope in scopes:
            pair.same(lambda store, wanted=wanted, scope=scope: store.batch_get_traces(wanted, **scope))
            pair.same(lambda store, wanted=wanted, scope=scope: store.batch_get_trace_infos(wanted, **scope))


@pytest.mark.parametrize(("key", "value"), TAGS_SET)
def test_tags(pair: Pair, key: str, value: str) -> None:
    for step in (start(name="N", tags={"a": "b"}), log({})):
        pair.same(step)
    pair.same(lambda store: store.set_trace_tag(TRACE, key, value))
    same_trace(pair)


def test_tags_are_deleted(pair: Pair) -> None:
    pair.same(start(name="N", tags={"a": "b"}))
    for trace, key in [
        (TRACE, "a"),
        (TRACE, "mlflow.traceName"),
        (TRACE, "no$"),
        (OTHER, "a"),
        (OTHER, "mlflow.traceName"),
    ]:
        for _ in range(2):
            pair.same(lambda store, trace=trace, key=key: store.delete_trace_tag(trace, key))
    same_trace(pair)


@pytest.mark.parametrize("given", DELETES, ids=str)
def test_traces_are_deleted(pair: Pair, given: dict[str, Any]) -> None:
    for number in range(1, 7):
        pair.same(start(trace=trace_id(number), ms=1_000 + 10 * (number // 2), experiment="12"[number == 6]))
    pair.same(lambda store: store.delete_traces("1", **given))
    pair.same(lambda store: store.search_traces())
    pair.same(lambda store: store.get_trace(TRACE, allow_partial=True))
    pair.both(start(tags={"new": "x"}))
    pair.same(lambda store: store.get_trace_info(TRACE))


def test_the_second_protocol(pair: Pair) -> None:
    def calls(store: Any) -> list[Any]:
        told = store.deprecated_start_trace_v2(
            "1", 1_000, {"a": "b", SESSION_KEY: "s"}, {"t": "u", "mlflow.traceName": "N"}
        )
        found = [told, store.get_trace_info(told.request_id)]
        tags = {"t": "v", "w": "x", "mlflow.traceName": "M"}
        found.append(store.deprecated_end_trace_v2(told.request_id, 1_500, TraceStatus.OK, {"a": "c", "d": "e"}, tags))
        store.set_trace_tag(told.request_id, "z", "1")
        found += store.batch_get_trace_infos([told.request_id])
        found += store.search_traces(filter_string=f"request_id = '{told.request_id}'")[0]
        found.append(store.delete_traces("1", trace_ids=[told.request_id]))
        return [json.dumps(plain(one), sort_keys=True).replace(told.request_id, "ID") for one in found]

    assert len(pair.same(calls)) == 6
    pair.same(lambda store: store.deprecated_start_trace_v2("77", 1, {}, {}))
    pair.same(lambda store: store.deprecated_end_trace_v2("none", 1, TraceStatus.OK, {}, {}))


# Assessments and links.


def _told(call: Step) -> Step:
    """A call whose answer has no times that a store has made."""

    def made(store: Any) -> Any:
        answer = plain(call(store))
        if isinstance(answer, dict) and answer["last_update_time_ms"] != 5_000:
            answer["last_update_time_ms"] = "later"
        return answer

    return made


def judge(pair: Pair, make: Callable[[], Any]) -> None:
    """Stores an assessment, which is made for each store, and reads it."""
    assert not isinstance(pair.same(lambda store: store.create_assessment(make())), Refusal)
    pair.same(lambda store: store.get_assessment(TRACE, make().assessment_id))


@pytest.mark.parametrize("value", VERDICTS, ids=repr)
def test_values_of_assessments(pair: Pair, value: Any) -> None:
    pair.same(start(name="N"))
    judge(pair, lambda: feedback(TRACE, "a-1", "f", value))
    if value is not None:
        judge(pair, lambda: expectation(TRACE, "a-2", "e", value))
    same_trace(pair)


@pytest.mark.parametrize("given", FEEDBACK, ids=str)
def test_feedback(pair: Pair, given: dict[str, Any]) -> None:
    pair.same(start(name="N"))
    judge(pair, lambda: feedback(TRACE, "a-1", "f", **given))
    same_trace(pair)


def test_assessments_of_a_start(pair: Pair) -> None:
    made = [feedback(TRACE, "a-1", "f", 1), issue(TRACE, "a-2", "iss-1", "slow", rationale="r")]
    pair.same(start(name="N", assessments=made))
    pair.both(start(name="N", assessments=[feedback(TRACE, "a-1", "f", 2)]))
    same_trace(pair)


@pytest.mark.parametrize(("assessment_id", "given"), UPDATES, ids=str)
def test_updates_of_assessments(pair: Pair, assessment_id: str, given: dict[str, Any]) -> None:
    pair.same(start(name="N"))
    judge(pair, lambda: feedback(TRACE, "a-f", "f", 1, rationale="r", metadata={"a": "b"}))
    judge(pair, lambda: expectation(TRACE, "a-e", "e", [1]))
    judge(pair, lambda: feedback(TRACE, "a-x", "x", error=AssessmentError("A", "a", "stack")))
    pair.same(_told(lambda store: store.update_assessment(TRACE, assessment_id, **given)))
    pair.same(_told(lambda store: store.get_assessment(TRACE, assessment_id)))
    pair.same(lambda store: store.update_assessment(OTHER, assessment_id, **given))


def test_overrides(pair: Pair) -> None:
    """One that is overridden is no longer valid, and is again when what overrode it is deleted."""
    pair.same(start(name="N"))
    for name, older in (("a-1", None), ("a-2", "a-1"), ("a-3", "a-2")):
        judge(pair, lambda name=name, older=older: feedback(TRACE, name, "f", 1, overrides=older))
    same_trace(pair)
    for deleted in ("a-3", "a-3", "a-1", "a-2", "a-none"):
        pair.same(lambda store, deleted=deleted: store.delete_assessment(TRACE, deleted))
        same_trace(pair)
    none = pair.same(lambda store: store.create_assessment(feedback(TRACE, "a-4", "f", 1, overrides="a-none")))
    assert none.code == "RESOURCE_DOES_NOT_EXIST"
    same_trace(pair)


def test_assessments_of_no_trace(pair: Pair) -> None:
    pair.same(start(name="N"))
    for trace in ("tr-none", None):
        pair.same(lambda store, trace=trace: store.create_assessment(feedback(trace, "a-1", "f", 1)))
    for trace in (TRACE, OTHER):
        pair.same(lambda store, trace=trace: store.get_assessment(trace, "a-none"))
        pair.same(lambda store, trace=trace: store.delete_assessment(trace, "a-none"))


def test_links_to_runs(pair: Pair) -> None:
    for number in (1, 2):
        pair.same(start(trace=trace_id(number), metadata={"mlflow.sourceRun": "r0"}))
    for linked in ([TRACE], [TRACE, OTHER], [], ["tr-none"], [trace_id(one) for one in range(101)]):
        pair.same(lambda store, linked=linked: store.link_traces_to_run(linked, "r1"))
        for filter_string in ("run_id = 'r1'", "run_id != 'r1'", "run_id = 'r0'"):
            pair.same(lambda store, one=filter_string: store.search_traces(filter_string=one))


def test_links_to_prompts(pair: Pair) -> None:
    pair.same(start(name="N"))
    prompts = [PromptVersion("p", number, "t") for number in (1, 2)]
    for trace, linked in [(TRACE, prompts), (TRACE, prompts), (TRACE, []), (OTHER, prompts), (OTHER, [])]:
        pair.same(lambda store, trace=trace, linked=linked: store.link_prompts_to_trace(trace, linked))
    for prompt in ("p/1", "p/2", "p/3"):
        pair.same(lambda store, prompt=prompt: store.search_traces(filter_string=f"prompt = '{prompt}'"))
    same_trace(pair)

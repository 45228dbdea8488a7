"""Random sequences of calls on MLflow's own store and on this package's: the same answers, field by field.

`FIELDS` says of each field what must be the same. The differences that are meant are in `model_differences`, and each
is a test; the random calls keep away from these. `TRACEHOUSE_CONTRACT_SECONDS` makes the search random, and as long as
it says.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from mlflow.entities.assessment import FeedbackValue
from mlflow.entities.model_registry import PromptVersion
from model_differences import DIFFERENCES, TRACE, Difference, Refused
from model_pair import Pair, Refusal, differences, open_stores
from model_spans import expectation, feedback, info, span, trace_id

SECONDS = float(os.environ.get("TRACEHOUSE_CONTRACT_SECONDS", "0"))

SAME, TYPE, IGNORED = "the same", "of the same type", "not compared"
NAME = "mlflow.traceName"
# Fields of `model_pair`'s dictionaries; of tags and metadata, which are the same otherwise, single keys.
FIELDS: dict[str, tuple[str, str]] = {
    "trace_id": (SAME, ""),
    "trace_location": (SAME, ""),
    "request_time": (SAME, ""),
    "execution_duration": (SAME, ""),
    "state": (SAME, ""),
    "client_request_id": (SAME, ""),
    "request_preview": (TYPE, "of spans: without JSON's quotes and spaces"),
    "response_preview": (TYPE, "the same"),
    "trace_metadata": (SAME, ""),
    "trace_metadata.mlflow.trace.cost": (TYPE, "of spans: the total alone"),
    "tags": (SAME, ""),
    f"tags.{NAME}": (IGNORED, "of spans: MLflow has none, here it is the root's"),
    "assessments": (SAME, ""),
    "assessments.last_update_time_ms": (TYPE, "each store reads its clock when an assessment is changed"),
    "spans": (SAME, ""),
}


def compare_info(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """The fields of two infos that differ although `FIELDS` says that they must not."""
    assert {field.split(".")[0] for field in FIELDS} - {"spans"} == ours.keys() == theirs.keys()
    for field, (wanted, _) in FIELDS.items():
        head, _, key = field.partition(".")
        if not key or wanted is SAME:
            continue
        for our, their in zip(_inner(ours[head]), _inner(theirs[head]), strict=False):
            assert wanted is IGNORED or type(our.get(key)) is type(their.get(key)), field
            our.pop(key, None)
            their.pop(key, None)
    for field in ("request_preview", "response_preview"):
        assert type(ours[field]) is type(theirs.pop(field)), field
        del ours[field]
    return list(differences(ours, theirs))


def _inner(given: Any) -> list[dict[str, Any]]:
    return given if isinstance(given, list) else [given]


NUMBERS = st.integers(1, 5)
KEYS = st.sampled_from(["k1", "k2", "é", "service.name"])
TEXTS = st.sampled_from(["", "a", "A", "ü", "100%", 'say "hi"', "x" * 300])
VALUES = st.sampled_from([1, 0.5, True, "yes", None, ["a"], {"x": 1}])
FILTERS = (
    *("", "status = 'OK'", "tags.k1 = 'a'", "tags.k2 IS NULL", "metadata.m != 'a'", "span.status = 'ERROR'"),
    *("feedback.f > 0.7", "feedback.f = 'yes'", "feedback.f IS NULL", "run_id = 'run'", "prompt = 'p/1'"),
    *(
        "metadata.mlflow.trace.session = 's1'",
        "expectation.e IS NOT NULL",
        "execution_time > 150",
        "span.name = 'call'",
    ),
)


class Calls(RuleBasedStateMachine):
    """The calls. What spans say of a trace follows from its number, so that sending them again changes nothing."""

    pair: ClassVar[Pair]
    examples: ClassVar[int] = 0

    @initialize()
    def begin(self) -> None:
        for store in (self.pair.ours, self.pair.theirs):
            for experiment in "12":
                store.delete_traces(experiment, max_timestamp_millis=2**40)
        self.assessments: dict[str, int] = {}
        self.expectations: set[str] = set()
        self.made = 0
        self.deleted = False
        # Others each time: MLflow keeps links of traces that are deleted.
        Calls.examples += 1

    def id(self, number: int) -> str:
        return trace_id(10 * self.examples + number)

    def same(self, call: Callable[[Any], Any]) -> Any:
        return self.pair.same(call)

    @rule(
        number=NUMBERS,
        duration=st.sampled_from([100, 200]),
        state=st.sampled_from(["OK", "ERROR"]),
        name=st.sampled_from([None, "N", "M"]),
        tags=st.dictionaries(KEYS, TEXTS, max_size=2),
        metadata=st.dictionaries(
            st.sampled_from(["m", "mlflow.trace.session", "mlflow.sourceRun"]), TEXTS.map(lambda text: text[:9] or "s1")
        ),
        usage=st.booleans(),
        preview=st.sampled_from([None, "p"]),
    )
    def start(self, number: int, duration: int, state: str, usage: bool, preview: str | None, **given: Any) -> None:
        if usage:
            counts = '{"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}'
            given["metadata"] = {**given["metadata"], "mlflow.trace.tokenUsage": counts}
        ms = 1_000 * number
        previews = {"request_preview": preview, "response_preview": preview}
        ours, theirs = self.pair.both(
            lambda store: store.start_trace(info(self.id(number), ms, duration, state, **previews, **given)).trace_id
        )
        assert ours == theirs

    @rule(number=NUMBERS, which=st.sets(st.integers(1, 4), min_size=1), extra=st.booleans())
    def log(self, number: int, which: set[int], extra: bool) -> None:
        ours, theirs = self.pair.both(lambda store: len(store.log_spans("1", self.spans(number, which))))
        assert ours == theirs
        if extra:
            self.same(lambda store: store.get_trace(self.id(number), allow_partial=True).data.spans)

    def spans(self, number: int, which: set[int]) -> list[Any]:
        begun = 1_000 * number
        usage = {"mlflow.chat.tokenUsage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}}
        cost = {"mlflow.llm.cost": {"input_cost": 0.5, "output_cost": 0.25, "total_cost": 0.75}}
        who = {"session.id": f"s{number}", "user.id": "u"} if number % 2 else {}
        root = span(
            self.id(number),
            1,
            start_ms=begun,
            end_ms=begun + 100,
            status="ERROR" if number == 3 else "OK",
            inputs={"q": "x"},
            attributes={**who, **(usage if number == 4 else {})},
            resource={"service.name": "svc"} if number == 5 else {},
        )
        found = {1: root}
        for place in (2, 3, 4):
            times = {"start_ms": begun + place, "end_ms": begun + 10 * place}
            parent = 1 if place < 4 else 3
            found[place] = span(
                self.id(number), place, "call", parent=parent, attributes={**usage, **cost, **who}, **times
            )
        return [found[place] for place in sorted(which)]

    @rule(number=NUMBERS, key=KEYS, value=TEXTS)
    def set_tag(self, number: int, key: str, value: str) -> None:
        if self.known(number):
            self.same(lambda store: store.set_trace_tag(self.id(number), key, value))

    @rule(number=NUMBERS, key=KEYS)
    def delete_tag(self, number: int, key: str) -> None:
        self.same(lambda store: store.delete_trace_tag(self.id(number), key))

    @rule(number=NUMBERS, value=VALUES, override=st.booleans(), expected=st.booleans())
    def judge(self, number: int, value: Any, override: bool, expected: bool) -> None:
        self.made += 1
        made = f"a-{self.examples}-{self.made}"
        older = next((one for one, of in self.assessments.items() if of == number), None) if override else None
        if expected and value is not None:
            self.expectations.add(made)
            self.same(lambda store: store.create_assessment(expectation(self.id(number), made, "e", value)))
        else:
            self.same(
                lambda store: store.create_assessment(feedback(self.id(number), made, "f", value, overrides=older))
            )
        if self.known(number):
            self.assessments[made] = number

    @rule(value=VALUES, text=TEXTS, place=st.integers(0, 9))
    def change(self, value: Any, text: str, place: int) -> None:
        made, number = self.judged(place)
        given = {"feedback": FeedbackValue(value), "metadata": {"m": text}} if place % 2 else {"rationale": text}
        if made in self.expectations:
            # Here an expectation gets a rationale, too.
            given.pop("rationale", None)
        ours, theirs = self.pair.both(lambda store: store.update_assessment(self.id(number), made, **given))
        for one in (ours, theirs):
            if isinstance(one, dict):
                del one["last_update_time_ms"]
        assert ours == theirs

    @rule(place=st.integers(0, 9))
    def take_back(self, place: int) -> None:
        made, number = self.judged(place)
        self.same(lambda store: store.delete_assessment(self.id(number), made))
        self.assessments.pop(made, None)

    def judged(self, place: int) -> tuple[str, int]:
        """An assessment and the number of its trace; one that is not there where there are too few."""
        return ([*self.assessments.items()][place : place + 1] or [("a-none", 1)])[0]

    @rule(numbers=st.sets(NUMBERS, min_size=1))
    def link(self, numbers: set[int]) -> None:
        there = [self.id(number) for number in sorted(numbers) if self.known(number)]
        self.same(lambda store: store.link_traces_to_run(there, "run"))
        prompts = [PromptVersion("p", 1, "t")]
        self.same(lambda store: store.link_prompts_to_trace(self.id(min(numbers)), prompts))

    @rule(numbers=st.sets(NUMBERS, max_size=2), until=st.sampled_from([None, None, 2_500]))
    def delete(self, numbers: set[int], until: int | None) -> None:
        ids = [self.id(number) for number in sorted(numbers)]
        given = {"trace_ids": ids} if until is None else {"max_timestamp_millis": until, "max_traces": 1}
        self.deleted = True
        self.same(lambda store: store.delete_traces("1", **given))
        self.assessments = {made: number for made, number in self.assessments.items() if self.known(number)}

    @rule(filter_string=st.sampled_from(FILTERS), order=st.sampled_from([None, ["tags.k1 DESC"], ["execution_time"]]))
    def search(self, filter_string: str, order: list[str] | None) -> None:
        if self.deleted and filter_string.startswith(("run_id", "prompt")):
            return
        self.same(lambda store: [one.trace_id for one in store.search_traces(None, filter_string, order_by=order)[0]])

    @rule(number=NUMBERS)
    def read(self, number: int) -> None:
        ours, theirs = self.pair.both(lambda store: store.get_trace_info(self.id(number)))
        if isinstance(theirs, Refusal):
            assert ours == theirs
        else:
            assert not (lines := compare_info(ours, theirs)), lines

    def known(self, number: int) -> bool:
        return bool(self.pair.theirs.batch_get_trace_infos([self.id(number)]))

    def teardown(self) -> None:
        for number in range(1, 6):
            self.read(number)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    stores = open_stores(tmp_path_factory.mktemp("contract"))
    for store in stores.both:
        store.create_experiment("two")
    return Pair(stores)


def test_random_calls(pair: Pair) -> None:
    Calls.pair = pair
    always = settings(
        derandomize=not SECONDS,
        max_examples=60,
        stateful_step_count=25,
        deadline=None,
        database=None,
        # Making a failure shorter takes minutes.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    until = time.monotonic() + SECONDS
    while True:
        run_state_machine_as_test(Calls, settings=always)
        if time.monotonic() >= until:
            break


@pytest.mark.parametrize("difference", DIFFERENCES, ids=[one.why for one in DIFFERENCES])
def test_differences(pair: Pair, difference: Difference) -> None:
    """They are as they are told, on both sides: one that has gone is to be taken off the list."""
    for store in (pair.ours, pair.theirs):
        store.delete_traces("1", trace_ids=[TRACE])
    for step in difference.steps:
        pair.both(step)
    ours, theirs = (Refused if isinstance(one, Refusal) else one for one in pair.both(difference.read))
    assert (ours, theirs) == (difference.ours, difference.theirs)

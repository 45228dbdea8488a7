"""Figures over many traces: the same points, counts and sessions as MLflow's own store, on the same traces."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.entities.trace_metrics import AggregationType, MetricAggregation, MetricViewType
from model_pair import Pair, Refusal, open_stores
from model_spans import expectation, feedback, info, issue, span, trace_id

AggregatesT = list[MetricAggregation]
COUNT, SUM, AVG, MIN, MAX = (
    MetricAggregation(kind)
    for kind in (
        AggregationType.COUNT,
        AggregationType.SUM,
        AggregationType.AVG,
        AggregationType.MIN,
        AggregationType.MAX,
    )
)
PERCENTILES = [MetricAggregation(AggregationType.PERCENTILE, one) for one in (50, 50.0, 99.5, 0, 100)]
TOKENS = ("input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
COSTS = ("input_cost", "output_cost", "total_cost")
SESSION = "mlflow.trace.session"
INVALID = "INVALID_PARAMETER_VALUE"

# The dimensions and aggregations of each metric.
METRICS: dict[tuple[MetricViewType, str], tuple[tuple[str, ...], AggregatesT]] = {
    (MetricViewType.TRACES, "trace_count"): (("trace_name", "trace_status"), [COUNT]),
    (MetricViewType.TRACES, "session_count"): ((), [COUNT]),
    (MetricViewType.TRACES, "latency"): (("trace_name",), [AVG, MIN, MAX, *PERCENTILES]),
    **{(MetricViewType.TRACES, one): (("trace_name",), [SUM, AVG, MIN, MAX, *PERCENTILES]) for one in TOKENS},
    (MetricViewType.SPANS, "span_count"): (
        ("span_name", "span_type", "span_status", "span_model_name", "span_model_provider"),
        [COUNT],
    ),
    (MetricViewType.SPANS, "latency"): (("span_name", "span_status"), [AVG, MIN, MAX, *PERCENTILES]),
    **{
        (MetricViewType.SPANS, one): (
            ("span_model_name", "span_model_provider"),
            [SUM, AVG, MIN, MAX, *PERCENTILES],
        )
        for one in COSTS
    },
    (MetricViewType.ASSESSMENTS, "assessment_count"): (("assessment_name", "assessment_value"), [COUNT]),
    (MetricViewType.ASSESSMENTS, "assessment_value"): (("assessment_name",), [AVG, MIN, MAX, *PERCENTILES]),
}
TRACE_FILTERS = (
    "trace.status = 'OK'",
    "trace.tag.env = 'prod'",
    'trace.tag.`my key` = "it\'s"',
    "trace.tag.mlflow.traceName = 'Alpha'",
    "trace.tag.none = 'x'",
    f"trace.metadata.{SESSION} = 's1'",
    "trace.metadata.`mlflow.sourceRun` = 'run-1'",
    "trace.metadata.k = 'café'",
    'trace.metadata.mlflow.trace.tokenUsage = \'{"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}\'',
)
ROW_FILTERS = {
    MetricViewType.TRACES: (),
    MetricViewType.SPANS: ("span.name = 'llm'", "span.type = 'LLM'", "span.status = 'ERROR'", "span.type = 'UNKNOWN'"),
    MetricViewType.ASSESSMENTS: (
        "assessment.name = 'score'",
        "assessment.type = 'feedback'",
        "assessment.type = 'issue'",
    ),
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    stores = open_stores(tmp_path_factory.mktemp("measuring"))
    for store in stores.both:
        store.create_experiment("two")
        _make(store, random.Random(5))
    return Pair(stores)


def _make(store: Any, chance: random.Random) -> None:
    """Forty traces of the experiments 1 and 2 over some ten days, with spans, costs and verdicts."""
    for number in range(1, 41):
        trace, experiment = trace_id(number), "12"[number % 7 == 0]
        begun_ms = 86_400_000 * chance.randrange(10) + chance.randrange(5_000)
        # Spans first: a start that comes later says how long the trace took.
        for place in range(chance.randrange(4)):
            store.log_spans(experiment, [_span(trace, place + 1, begun_ms, chance)])
        store.start_trace(_info(trace, experiment, begun_ms, chance))
        _judge(store, trace, number, chance)
    store.link_traces_to_run([trace_id(number) for number in (3, 5, 9, 11, 39)], "run-1")


def _info(trace: str, experiment: str, begun_ms: int, chance: random.Random) -> Any:
    metadata = {
        SESSION: f"s{chance.randrange(4)}",
        "mlflow.sourceRun": f"run-{chance.randrange(3)}",
        "k": chance.choice(("v", "café")),
    }
    tokens = {"input_tokens": chance.randrange(1, 4), "output_tokens": 2, "total_tokens": 3}
    if chance.random() < 0.3:
        tokens["cache_read_input_tokens"] = chance.randrange(9)
        tokens["cache_creation_input_tokens"] = 1
    metadata["mlflow.trace.tokenUsage"] = json.dumps(tokens)
    return info(
        trace,
        begun_ms,
        chance.randrange(1, 5_000),
        chance.choice(("OK", "OK", "ERROR")),
        experiment=experiment,
        name=chance.choice(("Alpha", "beta", "naïve", "Zeta")),
        tags={"env": chance.choice(("prod", "dev")), "my key": chance.choice(("it's", "x"))},
        metadata={key: value for key, value in metadata.items() if chance.random() < 0.7},
    )


def _span(trace: str, number: int, begun_ms: int, chance: random.Random) -> Any:
    cost = {"input_cost": chance.randrange(8) / 8, "output_cost": chance.randrange(8) / 16}
    cost["total_cost"] = cost["input_cost"] + cost["output_cost"]
    attributes: dict[str, Any] = {}
    if chance.random() < 0.7:
        attributes["mlflow.llm.model"] = chance.choice(("model-a", "model-b"))
        attributes["mlflow.llm.cost"] = cost
    if chance.random() < 0.7:
        attributes["mlflow.llm.provider"] = chance.choice(("one", "two"))
    start_ms = begun_ms + chance.random() * 3_000
    return span(
        trace,
        number,
        chance.choice(("root", "llm", "Ünique")),
        parent=None if number == 1 else 1,
        start_ms=start_ms,
        end_ms=start_ms + chance.random() * 900,
        span_type=chance.choice(("LLM", "TOOL", "UNKNOWN")),
        status=chance.choice(("OK", "ERROR", "UNSET")),
        attributes=attributes,
    )


def _judge(store: Any, trace: str, number: int, chance: random.Random) -> None:
    values = {
        "score": (0.5, 1, 5, -2, 1.0),
        "ok": (True, False, "yes", " No ", "maybe", None),
        "labels": (["a", "é"], {"x": [1, 2.5]}, "naïve"),
    }
    for place, (name, choice) in enumerate(values.items()):
        if chance.random() < 0.6:
            store.create_assessment(feedback(trace, f"a-{number}-{place}", name, chance.choice(choice)))
    if number % 4 == 0:
        store.create_assessment(feedback(trace, f"a-{number}-old", "rel", "no"))
        store.create_assessment(feedback(trace, f"a-{number}-new", "rel", "yes", overrides=f"a-{number}-old"))
        store.create_assessment(expectation(trace, f"a-{number}-exp", "score", 3))
        store.create_assessment(issue(trace, f"a-{number}-iss", "iss-1", "slow"))


def _same_points(pair: Pair, view: MetricViewType, metric: str, aggregations: AggregatesT, **more: Any) -> list[Any]:
    """The points of both stores, which must be the same, but for the last digits of floating-point numbers."""
    question = {"experiment_ids": ["1", "2"], **more}
    found = [
        store.query_trace_metrics(view_type=view, metric_name=metric, aggregations=aggregations, **question)
        for store in (pair.ours, pair.theirs)
    ]
    ours, theirs = found
    assert [(one.metric_name, list(one.dimensions.items())) for one in ours] == [
        (one.metric_name, list(one.dimensions.items())) for one in theirs
    ]
    for one, other in zip(ours, theirs, strict=True):
        assert list(one.values) == list(other.values)
        assert one.values == pytest.approx(other.values, rel=1e-12)
    assert ours.token is None
    assert theirs.token is None
    return list(ours)


@pytest.mark.parametrize(("view", "metric"), METRICS, ids=lambda one: getattr(one, "value", one))
def test_every_metric_by_every_dimension(pair: Pair, view: MetricViewType, metric: str) -> None:
    dimensions, aggregations = METRICS[view, metric]
    assert _same_points(pair, view, metric, aggregations)
    for count in range(1, len(dimensions) + 1):
        for some in itertools.permutations(dimensions, min(count, 2)):
            _same_points(pair, view, metric, aggregations, dimensions=list(some))
    for experiment in ("1", "2", "77"):
        _same_points(pair, view, metric, aggregations, experiment_ids=[experiment])
    _same_points(pair, view, metric, aggregations, experiment_ids=[])


@pytest.mark.parametrize(("view", "metric"), METRICS, ids=lambda one: getattr(one, "value", one))
def test_every_filter(pair: Pair, view: MetricViewType, metric: str) -> None:
    _, aggregations = METRICS[view, metric]
    filters = (*TRACE_FILTERS, *ROW_FILTERS[view])
    for one in filters:
        _same_points(pair, view, metric, aggregations, filters=[one])
    for two in itertools.combinations(filters, 2):
        _same_points(pair, view, metric, aggregations, filters=list(two))


@pytest.mark.parametrize(("view", "metric"), METRICS, ids=lambda one: getattr(one, "value", one))
def test_every_metric_over_time(pair: Pair, view: MetricViewType, metric: str) -> None:
    dimensions, aggregations = METRICS[view, metric]
    day = 86_400_000
    for start, end in ((0, 10 * day), (day, 3 * day + 2_000), (5 * day, 5 * day), (9 * day, day)):
        times = {"start_time_ms": start, "end_time_ms": end}
        _same_points(pair, view, metric, aggregations, **times)
        for seconds in (1, 60, 3_600, 86_400, 7 * 86_400):
            times["time_interval_seconds"] = seconds
            _same_points(pair, view, metric, aggregations, **times)
            _same_points(pair, view, metric, aggregations, dimensions=list(dimensions[:1]), **times)
    _same_points(pair, view, metric, aggregations, start_time_ms=4 * day)
    _same_points(pair, view, metric, aggregations, end_time_ms=4 * day, time_interval_seconds=0)
    _same_points(pair, view, metric, aggregations, start_time_ms=-(2**70), end_time_ms=2**70)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_the_first_points(pair: Pair, most: int) -> None:
    for (view, metric), (dimensions, aggregations) in METRICS.items():
        points = _same_points(pair, view, metric, aggregations, dimensions=list(dimensions), max_results=most)
        assert len(points) <= most


def test_what_is_said_twice(pair: Pair) -> None:
    view = MetricViewType.TRACES
    _same_points(pair, view, "latency", [AVG, AVG, *PERCENTILES, *PERCENTILES])
    _same_points(pair, view, "trace_count", [COUNT], filters=["trace.status = 'OK'"] * 2)


REFUSED: tuple[dict[str, Any], ...] = (
    {"experiment_ids": ["1", "one"]},
    {"metric_name": "nothing"},
    {"metric_name": "span_count"},
    {"aggregations": [AVG]},
    {"aggregations": [COUNT, SUM]},
    {"metric_name": "latency"},
    {"dimensions": ["span_name"]},
    {"metric_name": "session_count", "dimensions": ["trace_name"]},
    {"time_interval_seconds": 60},
    {"time_interval_seconds": 60, "start_time_ms": 1},
    {"filters": ["trace.status = 'OK' AND trace.status = 'ERROR'"]},
    {"filters": ["trace.status != 'OK'"]},
    {"filters": ["trace.status = OK"]},
    {"filters": ["trace.status = 5"]},
    {"filters": ["trace.status.x = 'OK'"]},
    {"filters": ["trace.tag = 'OK'"]},
    {"filters": ["trace.tags.x = 'OK'"]},
    {"filters": ["trace.name = 'OK'"]},
    {"filters": ["status = 'OK'"]},
    {"filters": ["other.status = 'OK'"]},
    {"filters": ["span.name = 'x'"]},
    {"filters": ["assessment.name = 'x'"]},
    {"filters": ["("]},
    {"filters": [""]},
    {"view_type": MetricViewType.SPANS, "metric_name": "span_count", "filters": ["assessment.name = 'x'"]},
    {"view_type": MetricViewType.SPANS, "metric_name": "span_count", "filters": ["span.model = 'x'"]},
    {"view_type": MetricViewType.ASSESSMENTS, "metric_name": "assessment_value", "aggregations": [SUM]},
    {"view_type": MetricViewType.ASSESSMENTS, "metric_name": "assessment_count", "filters": ["span.name = 'x'"]},
)


@pytest.mark.parametrize("question", REFUSED, ids=str)
def test_what_is_refused(pair: Pair, question: dict[str, Any]) -> None:
    asked = {"experiment_ids": ["1"], "view_type": MetricViewType.TRACES, "metric_name": "trace_count"}
    asked |= {"aggregations": [COUNT], **question}
    refusal = pair.same(lambda store: store.query_trace_metrics(**asked))
    assert isinstance(refusal, Refusal)
    assert refusal.code == INVALID


def test_a_span_of_no_type_is_counted_as_of_an_unknown_one(stores: SimpleNamespace) -> None:
    """The one difference: MLflow leaves it out. Its clients always say a type."""
    found = {}
    for store in stores.both:
        store.log_spans("1", [span(trace_id(1), 1)])
        points = store.query_trace_metrics(["1"], MetricViewType.SPANS, "span_count", [COUNT], ["span_type"])
        found[store] = [(one.dimensions["span_type"], one.values["COUNT"]) for one in points]
    assert found == {stores.ours: [("UNKNOWN", 1)], stores.theirs: []}


FILTERS = (
    "status = 'OK'",
    "tags.env = 'prod'",
    "name = 'Alpha' AND status = 'OK'",
    "feedback.ok = 'true'",
    "span.name = 'llm'",
    "run_id = 'run-1'",
    f"metadata.`{SESSION}` = 's1'",
    "timestamp < 200000000",
    "status = 'none'",
)


def _correlation(*question: Any, **more: Any) -> Callable[[Any], dict[str, float]]:
    def ask(store: Any) -> dict[str, float]:
        found = vars(store.calculate_trace_filter_correlation(*question, **more))
        return {name: value for name, value in found.items() if value is not None}

    return ask


@pytest.mark.parametrize("base", [None, "", "status = 'OK'", "span.type = 'LLM'", "name = 'no such name'"])
def test_correlation_of_filters(pair: Pair, base: str | None) -> None:
    for one, other in itertools.product(FILTERS, repeat=2):
        for experiments in (["1", "2"], ["2"], ["77"], []):
            ours, theirs = pair.both(_correlation(experiments, one, other, base_filter=base))
            assert ours == pytest.approx(theirs, rel=1e-12, nan_ok=True), (one, other, experiments)


def test_correlation_of_known_counts(stores: SimpleNamespace) -> None:
    for store in stores.both:
        for number in range(1, 5):
            tags = {"half": str(number < 3), "one": str(number == 1)}
            store.start_trace(info(trace_id(number), tags=tags))
        found = store.calculate_trace_filter_correlation(["1"], "tags.half = 'True'", "tags.one = 'True'")
        assert (found.npmi, round(found.npmi_smoothed, 5), found.total_count) == (0.5, 0.29248, 4)
        assert (found.filter1_count, found.filter2_count, found.joint_count) == (2, 1, 1)
        assert math.isnan(store.calculate_trace_filter_correlation(["1"], "name = 'x'", "status = 'OK'").npmi)


@pytest.mark.parametrize(
    "question", [("nothing = 'x'", "status = 'OK'"), ("status = 'OK'", "status = OK"), ("status = 'OK'", "", "(")]
)
def test_correlation_refused(pair: Pair, question: tuple[str, ...]) -> None:
    refusal = pair.same(_correlation(["one"], "status = 'OK'", "status = 'OK'"))
    assert isinstance(refusal, Refusal)
    refusal = pair.same(_correlation(["1"], *question))
    assert isinstance(refusal, Refusal)
    assert refusal.code == INVALID


def _sessions(store: Any, *question: Any, **more: Any) -> list[tuple[Any, ...]]:
    found = store.find_completed_sessions(*question, **more)
    return [(one.session_id, one.first_trace_timestamp_ms, one.last_trace_timestamp_ms) for one in found]


@pytest.mark.parametrize("filter_string", [None, "", "status = 'OK'", "tags.env = 'prod'", "name = 'no such name'"])
def test_completed_sessions(pair: Pair, filter_string: str | None) -> None:
    day = 86_400_000
    ends = [0, 3 * day, 8 * day, 8 * day + 2_500, 10 * day, 2**62]
    for experiment, first, last in itertools.product("127", ends, ends):
        for most in (None, 1, 2):
            pair.same(
                lambda store, at=(experiment, first, last, most): _sessions(store, *at, filter_string=filter_string)
            )


def test_a_session_that_began_with_two_traces_at_once(stores: SimpleNamespace) -> None:
    """Either may be the first, so a filter that one of them matches finds the session."""
    for store in stores.both:
        for number, ms, name in ((1, 5, "b"), (2, 5, "a"), (3, 6, "c")):
            store.start_trace(info(trace_id(number), ms, name=name, metadata={SESSION: "s"}))
    pair = Pair(stores)
    for name, count in (("a", 1), ("b", 1), ("c", 0)):
        found = pair.same(lambda store, name=name: _sessions(store, "1", 0, 9, filter_string=f"name = '{name}'"))
        assert len(found) == count


def test_completed_sessions_refused(pair: Pair) -> None:
    refusal = pair.same(lambda store: _sessions(store, "one", 0, 9))
    assert isinstance(refusal, Refusal)
    refusal = pair.same(lambda store: _sessions(store, "1", 0, 9, filter_string="nothing = 'x'"))
    assert isinstance(refusal, Refusal)
    assert refusal.code == INVALID


def test_what_gateways_cost(stores: SimpleNamespace) -> None:
    for store in stores.both:
        for number in range(1, 9):
            metadata = {
                "mlflow.gateway.endpointId": f"e{number % 2}",
                "mlflow.auth.username": f"u{number % 3}",
                "mlflow.trace.cost": json.dumps({"input_cost": 0, "output_cost": 0, "total_cost": number / 8}),
            }
            if number == 8:
                del metadata["mlflow.gateway.endpointId"]
            store.start_trace(info(trace_id(number), number, experiment="01"[number % 2], metadata=metadata))
    pair = Pair(stores)
    assert pair.same(lambda store: store.sum_gateway_trace_cost(0, 100)) == 28 / 8
    for endpoint, username, workspace in itertools.product((None, "e1", "no"), (None, "u1"), (None, "default", "no")):
        more = {"endpoint_id": endpoint, "username": username, "workspace": workspace}
        pair.same(lambda store, more=more: store.sum_gateway_trace_cost(2, 7, **more))

"""Figures of the store: metrics, correlation of filters, completed sessions, what gateways cost.

The database computes them by MLflow's rules; here questions and answers change their form. Where the database refuses a
question, MLflow's own method is asked for its words: its tables have no traces, but it looks at the question first.
"""

from __future__ import annotations

from typing import Any

from mlflow.entities.trace_metrics import MetricAggregation, MetricDataPoint, MetricViewType
from mlflow.genai.scorers.online.entities import CompletedSession
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import MAX_RESULTS_QUERY_TRACE_METRICS
from mlflow.store.tracking.dbmodels.models import SqlExperiment
from mlflow.tracing.analysis import TraceFilterCorrelationResult

import tracehouse
from tracehouse.errors import InvalidInputError
from tracehouse.mlflow._errors import refusal
from tracehouse.mlflow._measuring_links import Links
from tracehouse.mlflow._measuring_metrics import (
    asked,
    by_value,
    checked_filters,
    data_points,
    experiment_text,
    listed,
    time_ns,
)

_NS_PER_MS = 1_000_000

# The sessions of which one of the first traces, those of their first millisecond, is among `matching`.
_SESSIONS_BEGUN = """
    WITH begun AS (
        SELECT session_id, trace_id, date_trunc('millisecond', request_time) AS ms
        FROM traces WHERE experiment_id = $experiment AND session_id IS NOT NULL
    )
    SELECT DISTINCT begun.session_id FROM begun
    JOIN (SELECT session_id, min(ms) AS ms FROM begun GROUP BY session_id) AS first
        ON first.session_id = begun.session_id AND first.ms = begun.ms
    WHERE begun.trace_id IN ({matching})
"""
# Ids of one statement.
_IDS_MAX = 5_000

_GATEWAY_COST = """
    SELECT sum(cost_usd) FROM traces
    WHERE metadata['mlflow.gateway.endpointId'] IS NOT NULL
        AND arrow_cast(request_time, 'Int64') >= $start AND arrow_cast(request_time, 'Int64') < $end
"""


class Measuring(Links):
    """What MLflow asks of many traces at once."""

    def query_trace_metrics(
        self,
        experiment_ids: list[str],
        view_type: MetricViewType,
        metric_name: str,
        aggregations: list[MetricAggregation],
        dimensions: list[str] | None = None,
        filters: list[str] | None = None,
        time_interval_seconds: int | None = None,
        start_time_ms: int | None = None,
        end_time_ms: int | None = None,
        max_results: int = MAX_RESULTS_QUERY_TRACE_METRICS,
        page_token: str | None = None,
    ) -> PagedList[MetricDataPoint]:
        """The points of a metric: one for each time bucket and each value of the dimensions."""
        experiments = [experiment_text(one) for one in experiment_ids]
        clauses = checked_filters(filters)
        with self._reading() as database:
            try:
                points = database.metrics(
                    view_type.value.lower(),
                    metric_name,
                    aggregations=list(asked(aggregations)),
                    dimensions=list(dict.fromkeys(dimensions or [])),
                    filters=clauses,
                    start=time_ns(start_time_ms),
                    end=time_ns(end_time_ms),
                    interval_seconds=time_interval_seconds or None,
                    experiment_ids=experiments,
                    max_results=2**63 - 1 if by_value(dimensions) else max_results,
                )
            except InvalidInputError as error:
                question = (experiment_ids, view_type, metric_name, aggregations, dimensions, filters)
                times = (time_interval_seconds, start_time_ms, end_time_ms)
                raise refusal(error, lambda: super(Measuring, self).query_trace_metrics(*question, *times)) from error
        return PagedList(data_points(points, aggregations, dimensions)[:max_results], None)

    def calculate_trace_filter_correlation(
        self, experiment_ids: list[str], filter_string1: str, filter_string2: str, base_filter: str | None = None
    ) -> TraceFilterCorrelationResult:
        """How much two filters have to do with each other over the traces that a third holds for."""
        experiments = [experiment_text(one) for one in experiment_ids]

        def ask() -> object:
            question = (experiment_ids, filter_string1, filter_string2, base_filter)
            return super(Measuring, self).calculate_trace_filter_correlation(*question)

        self._check_filters(ask)
        with self._reading() as database:
            try:
                found = database.filter_correlation(
                    filter_string1 or "",
                    filter_string2 or "",
                    base=base_filter or "",
                    experiment_ids=experiments,
                )
            except InvalidInputError as error:
                raise refusal(error, ask) from error
        return TraceFilterCorrelationResult(
            npmi=found.npmi,
            npmi_smoothed=found.npmi_smoothed,
            filter1_count=found.filter1_count,
            filter2_count=found.filter2_count,
            joint_count=found.joint_count,
            total_count=found.total_count,
        )

    def find_completed_sessions(
        self,
        experiment_id: str,
        min_last_trace_timestamp_ms: int,
        max_last_trace_timestamp_ms: int,
        max_results: int | None = None,
        filter_string: str | None = None,
    ) -> list[CompletedSession]:
        """Sessions whose last trace began between two times, in order of that time, then of id."""
        experiment = experiment_text(experiment_id)

        def ask() -> object:
            return super(Measuring, self).find_completed_sessions(experiment_id, 0, 0, None, filter_string)

        self._check_filters(ask)
        with self._reading() as database:
            sessions = database.completed_sessions(
                experiment,
                time_ns(min_last_trace_timestamp_ms),
                # All of its last millisecond.
                min(time_ns(max_last_trace_timestamp_ms) + _NS_PER_MS - 1, 2**63 - 1),
            )
            if filter_string:
                try:
                    matching = database.search_trace_ids(filter_string, experiment_ids=experiment)
                except InvalidInputError as error:
                    raise refusal(error, ask) from error
                wanted = _sessions_begun(database, experiment, matching)
                sessions = [session for session in sessions if session.session_id in wanted]
        sessions.sort(key=lambda one: (one.last_request_time_ns // _NS_PER_MS, one.session_id))
        return [
            CompletedSession(
                session_id=session.session_id,
                first_trace_timestamp_ms=session.first_request_time_ns // _NS_PER_MS,
                last_trace_timestamp_ms=session.last_request_time_ns // _NS_PER_MS,
            )
            for session in sessions[:max_results]
        ]

    def sum_gateway_trace_cost(
        self,
        start_time_ms: int,
        end_time_ms: int,
        workspace: str | None = None,
        endpoint_id: str | None = None,
        username: str | None = None,
    ) -> float:
        """What the traces of gateways between two times have cost, USD; the second time is not included."""
        statement = _GATEWAY_COST
        given: dict[str, Any] = {"start": time_ns(start_time_ms), "end": time_ns(end_time_ms)}
        if endpoint_id is not None:
            statement += " AND metadata['mlflow.gateway.endpointId'] = $endpoint"
            given["endpoint"] = endpoint_id
        if username is not None:
            statement += " AND metadata['mlflow.auth.username'] = $username"
            given["username"] = username
        if workspace is not None:
            with self.ManagedSessionMaker() as session:
                found = session.query(SqlExperiment.experiment_id).filter(SqlExperiment.workspace == workspace).all()
            if not found:
                return 0.0
            names, ids = listed("experiment", [str(one) for (one,) in found])
            statement, given = f"{statement} AND experiment_id IN ({names})", {**given, **ids}
        with self._reading() as database:
            [(cost,)] = database.sql(statement, given)
        return float(cost or 0.0)


def _sessions_begun(database: tracehouse.Database, experiment_id: str, matching: list[str]) -> set[str]:
    """The sessions of whose first traces one is among these."""
    begun: set[str] = set()
    for begin in range(0, len(matching), _IDS_MAX):
        names, ids = listed("trace", matching[begin : begin + _IDS_MAX])
        statement = _SESSIONS_BEGUN.format(matching=names)
        begun.update(session_id for (session_id,) in database.sql(statement, {"experiment": experiment_id, **ids}))
    return begun

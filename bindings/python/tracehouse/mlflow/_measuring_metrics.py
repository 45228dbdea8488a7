"""Metrics: MLflow's questions as the database takes them, and its points as MLflow has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import overload

from mlflow.entities.trace_metrics import AggregationType, MetricAggregation, MetricDataPoint
from mlflow.exceptions import MlflowException
from mlflow.tracing.constant import AssessmentMetricDimensionKey
from mlflow.utils.search_utils import SearchTraceMetricsUtils

from tracehouse.reports import MetricPoint

_NS_PER_MS = 1_000_000
_MS_MAX = 2**63 // _NS_PER_MS - 1


@overload
def time_ns(ms: int) -> int: ...
@overload
def time_ns(ms: None) -> None: ...
def time_ns(ms: int | None) -> int | None:
    """A time in nanoseconds; one that is beyond what the database has is its first or last millisecond."""
    return None if ms is None else max(-_MS_MAX, min(ms, _MS_MAX)) * _NS_PER_MS


def experiment_text(experiment_id: str | int) -> str:
    """The id of an experiment.

    Raises:
        MlflowException: it is no number, as ids of experiments are.
    """
    try:
        return str(int(experiment_id))
    except ValueError:
        raise MlflowException.invalid_parameter_value(
            f"Invalid experiment ID '{experiment_id}'. Experiment ID must be a valid integer."
        ) from None


def checked_filters(filters: list[str] | None) -> list[str]:
    """Filters that MLflow's parser has read, so that a quoted key or value means what it means there.

    Raises:
        MlflowException: one that it refuses.
    """
    clauses = []
    for text in filters or []:
        said = SearchTraceMetricsUtils.parse_search_filter(text)
        key = f".`{said.key}`" if said.key is not None else ""
        value = said.value.replace("'", "''")
        clauses.append(f"{said.view_type}.{said.entity}{key} = '{value}'")
    return clauses


def by_value(dimensions: list[str] | None) -> bool:
    """Whether values of assessments are a dimension."""
    return AssessmentMetricDimensionKey.ASSESSMENT_VALUE in (dimensions or [])


def asked(aggregations: list[MetricAggregation]) -> dict[str | float, list[MetricAggregation]]:
    """Aggregations as the database takes them, each once, with those that ask for it."""
    found: dict[str | float, list[MetricAggregation]] = {}
    for one in aggregations:
        percentile = one.percentile_value
        found.setdefault(one.aggregation_type.value if percentile is None else float(percentile), []).append(one)
    return found


def data_points(
    points: list[MetricPoint], aggregations: list[MetricAggregation], dimensions: list[str] | None
) -> list[MetricDataPoint]:
    """Points of the database as MLflow has them, in its order."""
    made = [
        MetricDataPoint(
            metric_name=point.metric,
            dimensions={name: _dimension(name, value) for name, value in point.dimensions.items()},
            values=_values(point, aggregations),
        )
        for point in points
        if point.values
    ]
    if by_value(dimensions):
        # Texts of values are written another way than in the database, and so have another order.
        made.sort(key=lambda point: tuple(point.dimensions.values()))
    return made


def _values(point: MetricPoint, aggregations: list[MetricAggregation]) -> dict[str, float]:
    # The database gives values in the order in which it was asked, with names of its own: `P50`, where MLflow has
    # `P50` or `P50.0`, as it was written.
    by_asker = {
        str(one): value
        for askers, value in zip(asked(aggregations).values(), point.values.values(), strict=False)
        for one in askers
    }
    return {str(one): _number(one, by_asker[str(one)]) for one in aggregations}


def _number(aggregation: MetricAggregation, value: float) -> float:
    return int(value) if aggregation.aggregation_type == AggregationType.COUNT else value


def _dimension(name: str, value: str) -> str:
    """A value of an assessment is JSON as Python writes it."""
    return json.dumps(json.loads(value)) if name == AssessmentMetricDimensionKey.ASSESSMENT_VALUE else value


def listed(name: str, values: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Values for `IN (..)` of a statement: the names of parameters, and these with their values."""
    given = {f"{name}_{number}": value for number, value in enumerate(values)}
    return ", ".join(f"${parameter}" for parameter in given), given

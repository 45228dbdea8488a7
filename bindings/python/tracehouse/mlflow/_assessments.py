"""Assessments: MLflow's entities as rows of the database, and back.

What has no column is kept as metadata that MLflow does not see: the stack trace of an error, and the run of an
assessment whose own metadata names another, or none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from mlflow.entities import Assessment, AssessmentError, AssessmentSource, Expectation, Feedback, IssueReference
from mlflow.exceptions import MlflowException
from mlflow.tracing.constant import AssessmentMetadataKey
from mlflow.tracing.utils import generate_assessment_id

import tracehouse
from tracehouse.mlflow._attributes import given_value, stored_value
from tracehouse.mlflow._ids import mlflow_trace_id, plain_trace_id

_NS_PER_MS = 1_000_000
_STACK_METADATA = "tracehouse.mlflow.stackTrace"
_RUN_METADATA = "tracehouse.mlflow.runId"


def mlflow_assessment(row: tracehouse.trace.Assessment, trace_id: str | None = None) -> Assessment:
    """A row as MLflow has it. `trace_id` is the id of its trace, where that is not the row's own."""
    metadata = dict(row.metadata)
    stack = metadata.pop(_STACK_METADATA, None)
    run_id = metadata.pop(_RUN_METADATA, None) or metadata.get(AssessmentMetadataKey.SOURCE_RUN_ID)
    common: dict[str, Any] = {
        "source": AssessmentSource(source_type=row.source_type, source_id=row.source_id),
        "trace_id": trace_id or mlflow_trace_id(row.trace_id),
        "metadata": metadata or None,
        "span_id": row.span_id,
        "create_time_ms": row.created_at_ns // _NS_PER_MS,
        "last_update_time_ms": row.updated_at_ns // _NS_PER_MS,
    }
    made: Assessment
    if row.type == "expectation":
        made = Expectation(name=row.name, value=given_value(row.value), **common)
    elif row.type == "issue":
        made = IssueReference(issue_id=row.name, issue_name=_issue_name(row.value), rationale=row.rationale, **common)
    else:
        error = None
        if row.error_code is not None:
            error = AssessmentError(row.error_code, row.error_message or None, stack)
        made = Feedback(name=row.name, value=given_value(row.value), error=error, rationale=row.rationale, **common)
    made.rationale = row.rationale
    made.overrides = row.overrides
    made.valid = row.valid
    made.run_id = run_id
    made.assessment_id = row.assessment_id
    return made


def by_trace(rows: Iterable[tracehouse.trace.Assessment]) -> dict[str, list[Assessment]]:
    """Rows as MLflow has them, by the database's id of their trace."""
    found: dict[str, list[Assessment]] = {}
    for row in rows:
        found.setdefault(row.trace_id, []).append(mlflow_assessment(row))
    return found


def assessment_row(given: Assessment, trace_id: str) -> dict[str, Any]:
    """An entity as a row, with an id and times, which the entity gets, too.

    Raises:
        MlflowException: it is no feedback, expectation or issue.
    """
    if given.assessment_id is None:
        given.assessment_id = generate_assessment_id()
    now_ms = time.time_ns() // _NS_PER_MS
    kind, value = _value(given)
    error = given.feedback.error if given.feedback is not None else None
    metadata = {str(key): str(item) for key, item in (given.metadata or {}).items()}
    if error is not None and error.stack_trace:
        metadata[_STACK_METADATA] = error.stack_trace
    if given.run_id and given.run_id != metadata.get(AssessmentMetadataKey.SOURCE_RUN_ID):
        metadata[_RUN_METADATA] = given.run_id
    return {
        "assessment_id": given.assessment_id,
        "trace_id": plain_trace_id(trace_id),
        "type": kind,
        "name": given.name,
        "value": value,
        "span_id": given.span_id,
        "source_type": given.source.source_type,
        "source_id": given.source.source_id,
        "rationale": given.rationale,
        "error_code": None if error is None else error.error_code,
        "error_message": None if error is None else error.error_message,
        "metadata": metadata,
        "overrides": given.overrides,
        "valid": True if given.valid is None else given.valid,
        "created_at_ns": (given.create_time_ms or now_ms) * _NS_PER_MS,
        "updated_at_ns": (given.last_update_time_ms or now_ms) * _NS_PER_MS,
    }


def _value(given: Assessment) -> tuple[str, Any]:
    if given.feedback is not None:
        return "feedback", stored_value(given.feedback.value)
    if given.expectation is not None:
        return "expectation", stored_value(given.expectation.value)
    if given.issue is not None:
        return "issue", given.issue.to_dictionary()
    raise MlflowException.invalid_parameter_value("Assessment must have either feedback, expectation, or issue value")


def _issue_name(value: Any) -> str:
    if isinstance(value, dict) and "issue_name" in value:
        return str(value["issue_name"])
    return value if isinstance(value, str) else json.dumps(value)

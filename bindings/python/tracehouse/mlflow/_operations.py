"""What the process that writes does for itself and for others.

An operation takes and gives what JSON has, and repeating it changes nothing: ids and times come from who asks. Names
and arguments are those of `Access.write`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tracehouse.database import Database
from tracehouse.errors import InvalidInputError, NotFoundError
from tracehouse.mlflow import _dataset_operations, _experiment_operations
from tracehouse.mlflow._ids import mlflow_trace_id
from tracehouse.trace import Assessment, TraceInfo, TraceStart

_NAME = "mlflow.traceName"
_ARTIFACTS = "mlflow.artifactLocation"
DELETED = ""
"""The value of a tag that follows from what is stored, and is deleted."""
_CHANGES = threading.Lock()
"""Held from what is read of an assessment to what is written of it."""


def log_spans(db: Database, spans: list[dict[str, Any]], experiment_id: str, tags: dict[str, dict[str, str]]) -> None:
    """Appends spans, and sets tags of their traces.

    Raises:
        InvalidInputError: one of the traces is in another experiment; then no span is stored.
    """
    known = {trace_id: _known(db, trace_id, experiment_id) for trace_id in {span["trace_id"] for span in spans}}
    for span in spans:
        for part in ("events", "links"):
            span[part] = [tuple(item) for item in span[part]]
    db._engine.append(db._native, spans)
    # Each batch of a trace comes with the same ones.
    _set_tags(db, {trace_id: _changed(given, known.get(trace_id)) for trace_id, given in tags.items()})


def _changed(tags: dict[str, str], row: TraceInfo | None) -> dict[str, str]:
    """Those of these tags that a trace has not."""
    return tags if row is None else {key: value for key, value in tags.items() if row.tags.get(key) != value}


def _set_tags(db: Database, tags: dict[str, dict[str, str]]) -> None:
    """Sets tags of traces in as few commits as it takes: traces that come together mostly have the same ones."""
    traces: dict[tuple[str, str], list[str]] = {}
    for trace_id, given in tags.items():
        for tag in given.items():
            traces.setdefault(tag, []).append(trace_id)
    if len(traces) < len(tags):
        for (key, value), trace_ids in traces.items():
            db.set_tag(trace_ids, key, value)
        return
    for trace_id, given in tags.items():
        if given:
            db.set_tags(trace_id, given)


def start_trace(db: Database, start: dict[str, Any], assessments: list[dict[str, Any]]) -> None:
    """Starts or finishes a trace.

    Raises:
        InvalidInputError: it is in another experiment.
    """
    known = _known(db, start["trace_id"], start["experiment_id"])
    db.start_traces([TraceStart(**start)])
    if known is not None:
        _set_again(db, start)
    put_assessments(db, assessments)


def _known(db: Database, trace_id: str, experiment_id: str) -> TraceInfo | None:
    """The row of a trace, where there is one.

    Raises:
        InvalidInputError: it is in another experiment.
    """
    row = trace_row(db, trace_id)
    if row is not None and row.experiment_id != experiment_id:
        raise InvalidInputError(f"Trace with ID '{mlflow_trace_id(trace_id)}' already exists in another experiment.")
    return row


def trace_row(db: Database, trace_id: str) -> TraceInfo | None:
    """The row of a trace, where there is one."""
    try:
        return db._engine.get_trace_info(db._native, trace_id)
    except NotFoundError:
        return None


def _set_again(db: Database, start: dict[str, Any]) -> None:
    """Sets the start's name and tags that someone else has set, or deleted: of two MLflow keeps the later, the database
    the user's."""
    row = db._engine.get_trace_info(db._native, start["trace_id"])
    changed = {key: value for key, value in start["tags"].items() if row.tags.get(key) != value}
    if start["name"] not in (None, row.name):
        changed[_NAME] = start["name"]
    if changed:
        db.set_tags(start["trace_id"], changed)


def set_tag(db: Database, trace_id: str, key: str, value: str) -> None:
    """Sets a tag."""
    db.set_tag(trace_id, key, value)


def delete_tag(db: Database, trace_id: str, key: str) -> None:
    """Deletes a tag.

    Raises:
        NotFoundError: there is no such trace, or it has no such tag.
    """
    if key != _ARTIFACTS:
        db.delete_tag(trace_id, key)
    elif db._engine.get_trace_info(db._native, trace_id).tags.get(key) == DELETED:
        raise NotFoundError(f"trace {trace_id} has no tag {key}")
    else:
        # It is said of each trace and not stored: that it is deleted is.
        db.set_tag(trace_id, key, DELETED)


def create_assessment(db: Database, row: dict[str, Any]) -> None:
    """Stores an assessment as it is; one that it overrides is no longer valid.

    Raises:
        NotFoundError: there is no such trace, or none with the overridden id on it.
    """
    rows = [Assessment(**row)]
    with _CHANGES:
        if row["overrides"]:
            older = db.get_assessment(row["trace_id"], row["overrides"])
            older.valid = False
            rows.append(older)
        db.put_assessments(rows)


def put_assessments(db: Database, assessments: list[dict[str, Any]]) -> None:
    """Stores assessments as they are."""
    if assessments:
        db.put_assessments(Assessment(**row) for row in assessments)


def delete_assessment(db: Database, trace_id: str, assessment_id: str) -> bool:
    """Deletes an assessment; the one it overrode is valid again."""
    return db.delete_assessment(trace_id, assessment_id)


def delete_traces(db: Database, trace_ids: list[str]) -> int:
    """Deletes traces."""
    return db.delete_traces(trace_ids)


def link_traces_to_run(db: Database, trace_ids: list[str], run_id: str) -> None:
    """Links traces to a run."""
    db.link_traces_to_run(trace_ids, run_id)


def link_prompts_to_trace(db: Database, trace_id: str, prompts: list[str]) -> None:
    """Links versions of prompts to a trace."""
    db.link_prompts_to_trace(trace_id, prompts)


OPERATIONS: dict[str, Callable[..., Any]] = (
    {
        operation.__name__: operation
        for operation in (
            log_spans,
            start_trace,
            set_tag,
            delete_tag,
            create_assessment,
            put_assessments,
            delete_assessment,
            delete_traces,
            link_traces_to_run,
            link_prompts_to_trace,
        )
    }
    | _dataset_operations.OPERATIONS
    | _experiment_operations.OPERATIONS
)
"""Every operation by its name."""

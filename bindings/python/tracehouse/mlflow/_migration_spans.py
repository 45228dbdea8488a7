"""Spans of the source: those in its table, and those of traces whose spans are artifacts; a part of `_migration`.

MLflow kept the spans of a trace in a file beside it, `traces.json`, before it kept them in a table, and moves old ones
to an archive, `traces.pb`. A tag of the trace says which it is; the oldest traces have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from mlflow.entities import Span, TraceData, TraceInfo
from mlflow.exceptions import MlflowTraceDataNotFound
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracing.constant import SpansLocation, TraceTagKey
from mlflow.utils.mlflow_tags import MLFLOW_ARTIFACT_LOCATION

from tracehouse.mlflow._ids import plain_trace_id
from tracehouse.mlflow._spans import Resources, span_fields

_OF_SERVER = re.compile(r"mlflow-artifacts:(?://[^/]*)?/")


class MissingSpansError(Exception):
    """The spans of a trace are nowhere to be found."""


def stored_fields(content: str, trace_id: str, experiment_id: str) -> dict[str, Any]:
    """What the database appends for a row of the table of spans.

    Raises:
        Exception: it is no span. MLflow's readers raise all kinds.
    """
    return _fields(Span.from_dict(json.loads(content)), trace_id, experiment_id)


def artifact_fields(info: TraceInfo, artifacts: str | None) -> list[dict[str, Any]]:
    """What the database appends for a trace whose spans are artifacts.

    Args:
        info: the trace.
        artifacts: where an MLflow server keeps what it says is at `mlflow-artifacts:/`.

    Raises:
        MissingSpansError: there are none, or they cannot be read.
    """
    is_archived = info.tags.get(TraceTagKey.SPANS_LOCATION) == SpansLocation.ARCHIVE_REPO.value
    location = info.tags.get(TraceTagKey.ARCHIVE_LOCATION if is_archived else MLFLOW_ARTIFACT_LOCATION)
    if not location:
        raise MissingSpansError("no location of artifacts is known")
    uri = _resolved(location, artifacts)
    missing = f"no spans at {uri}"
    try:
        spans = _archived(uri) if is_archived else _of_file(uri)
        # Of two spans with one id the later counts.
        told = {span.span_id: _fields(span, info.trace_id, info.experiment_id) for span in spans}
    except MlflowTraceDataNotFound:
        raise MissingSpansError(missing) from None
    except Exception as error:
        # Stores of artifacts, and MLflow's readers, raise all kinds.
        raise MissingSpansError(f"the spans at {uri} cannot be read: {error}") from error
    if is_archived and not told:
        # So MLflow reads an archive that is not there.
        raise MissingSpansError(missing)
    return list(told.values())


def is_in_table(info: TraceInfo) -> bool:
    """Whether the spans of a trace are said to be in the table."""
    location: str | None = info.tags.get(TraceTagKey.SPANS_LOCATION)
    return location == str(SpansLocation.TRACKING_STORE.value)


def _of_file(uri: str) -> Iterable[Span]:
    found: list[Span] = TraceData.from_dict(get_artifact_repository(uri).download_trace_data()).spans
    return found


def _archived(uri: str) -> Iterable[Span]:
    found: list[Span] = get_artifact_repository(uri).download_archived_trace_data().spans
    return found


def _resolved(location: str, artifacts: str | None) -> str:
    """The location without the server that stands before it."""
    found = _OF_SERVER.match(location)
    if found is None:
        return location
    if artifacts is None:
        raise MissingSpansError(f"{location} is a server's: say with --artifacts where it keeps them")
    return f"{artifacts.rstrip('/')}/{location[found.end() :]}"


def _fields(span: Span, trace_id: str, experiment_id: str) -> dict[str, Any]:
    """The span is stored as it is: MLflow has translated it, or never did, before it was stored."""
    fields = span_fields(span, span.to_dict(), experiment_id, Resources())
    # Before its third version MLflow's trace ids were not those of the spans.
    return {**fields, "trace_id": plain_trace_id(trace_id)}

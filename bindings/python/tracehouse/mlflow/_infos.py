"""The info of a trace: the row of the database as MLflow's entity, and what `start_trace` is given as a start.

Two tags are not stored but said: where a trace's artifacts are, which follows from its experiment, and that its spans
are here, which follows from its having some. So traces that were imported another way have them, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Assessment, TraceInfo, TraceLocation, TraceState
from mlflow.tracing.constant import SpansLocation, TraceMetadataKey, TraceTagKey
from mlflow.utils.mlflow_tags import MLFLOW_ARTIFACT_LOCATION

import tracehouse
from tracehouse.mlflow._calls import stored_metadata
from tracehouse.mlflow._ids import ID_METADATA, SECOND_PROTOCOL_METADATA, mlflow_trace_id, plain_trace_id
from tracehouse.mlflow._operations import DELETED

_NS_PER_MS = 1_000_000
_TOKENS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


def trace_info(
    row: tracehouse.trace.TraceInfo,
    assessments: list[Assessment],
    artifact_location: str | None,
    cost: Mapping[str, float] | None = None,
) -> TraceInfo:
    """A row as MLflow has it.

    Args:
        row: the row.
        assessments: its assessments.
        artifact_location: where its artifacts are; `None` when its experiment is not there.
        cost: what its spans have cost, where its start has not said it.
    """
    metadata = dict(row.metadata)
    trace_id = metadata.pop(ID_METADATA, None) or mlflow_trace_id(row.trace_id)
    if metadata.pop(SECOND_PROTOCOL_METADATA, None):
        metadata.pop(TraceMetadataKey.TRACE_INFO_FINALIZED, None)
    for assessment in assessments:
        assessment.trace_id = trace_id
    _add_usage(metadata, row, cost)
    tags = dict(row.tags)
    if row.name is not None:
        tags.setdefault(TraceTagKey.TRACE_NAME, row.name)
    if artifact_location is not None:
        tags.setdefault(MLFLOW_ARTIFACT_LOCATION, artifact_location)
    if tags.get(MLFLOW_ARTIFACT_LOCATION) == DELETED:
        del tags[MLFLOW_ARTIFACT_LOCATION]
    if row.span_count:
        tags.setdefault(TraceTagKey.SPANS_LOCATION, SpansLocation.TRACKING_STORE.value)
    return TraceInfo(
        trace_id=trace_id,
        trace_location=TraceLocation.from_experiment_id(row.experiment_id),
        request_time=row.request_time_ns // _NS_PER_MS,
        execution_duration=_duration_ms(row),
        state=TraceState(row.state),
        request_preview=row.request_preview,
        response_preview=row.response_preview,
        client_request_id=row.client_request_id,
        trace_metadata=metadata,
        tags=tags,
        assessments=assessments,
    )


def _duration_ms(row: tracehouse.trace.TraceInfo) -> int | None:
    """Whole milliseconds, from the one in which it began to the one in which it ended, as MLflow counts them."""
    if row.duration_ns is None:
        return None
    if row.end_time_ns is None:
        return row.duration_ns // _NS_PER_MS
    return row.end_time_ns // _NS_PER_MS - row.request_time_ns // _NS_PER_MS


def _add_usage(metadata: dict[str, str], row: tracehouse.trace.TraceInfo, cost: Mapping[str, float] | None) -> None:
    """Adds the tokens and the cost of the spans where the trace's start did not say them."""
    if TraceMetadataKey.TOKEN_USAGE not in metadata:
        tokens = token_counts(row)
        if tokens:
            metadata[TraceMetadataKey.TOKEN_USAGE] = json.dumps(tokens)
    if TraceMetadataKey.COST not in metadata and cost:
        metadata[TraceMetadataKey.COST] = json.dumps(cost)


def token_counts(row: tracehouse.trace.TraceInfo | tracehouse.trace.Span) -> dict[str, int]:
    """The tokens of a trace or a span by MLflow's names, which are those of the columns."""
    return {name: count for name in _TOKENS if (count := getattr(row, name)) is not None}


def trace_start(info: TraceInfo) -> dict[str, Any]:
    """What the database is told of a trace that MLflow starts, or finishes, by its info."""
    metadata = {**stored_metadata(info.trace_metadata), TraceMetadataKey.TRACE_INFO_FINALIZED: "true"}
    if info.trace_id != mlflow_trace_id(plain_trace_id(info.trace_id)):
        metadata[ID_METADATA] = info.trace_id
    tags = {key: str(value) for key, value in info.tags.items() if key != TraceTagKey.TRACE_NAME}
    return {
        "trace_id": plain_trace_id(info.trace_id),
        "request_time": info.request_time * _NS_PER_MS,
        "experiment_id": info.experiment_id,
        "duration_ms": info.execution_duration,
        "state": info.state.value,
        "name": info.tags.get(TraceTagKey.TRACE_NAME),
        "client_request_id": info.client_request_id,
        "request_preview": _without_nul(info.request_preview),
        "response_preview": _without_nul(info.response_preview),
        "tags": tags,
        "metadata": _texts(metadata),
    }


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in given.items()}


def _without_nul(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "\ufffd")
